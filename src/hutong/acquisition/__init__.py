"""Acquisition: from a file as it came to facts of the one standard, with a receipt for every row."""
