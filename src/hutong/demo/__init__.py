"""The demonstration: three nodes, two real line lists, from collection to a shared release."""
