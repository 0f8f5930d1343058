"""Insight: what the facts say together: risk areas now; tracing, reproduction and forecasts as they come."""
