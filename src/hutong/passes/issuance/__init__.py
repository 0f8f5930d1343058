"""Issuance: signing passes one by one and in batches, renewing, revoking, printing, and the keys that sign."""
