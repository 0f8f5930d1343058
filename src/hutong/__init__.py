"""Hutong: the node that a health jurisdiction runs to collect, open and share health data in an emergency."""

__version__ = "0.1.0"
