"""Keys, the trust list, the transparency log, and who may do what."""
