"""Hutong: the node that a health jurisdiction runs to collect, open and share health data."""
