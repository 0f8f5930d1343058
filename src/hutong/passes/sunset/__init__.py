"""Sunset: what ends with an emergency, and its destruction."""
