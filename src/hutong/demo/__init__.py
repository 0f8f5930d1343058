"""The demonstration: three real nodes take the line lists of two regions from collection to recognised, shared data."""
