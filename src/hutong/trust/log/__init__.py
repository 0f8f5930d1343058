"""The transparency log: hashing and proofs, signed checkpoints, tiles, witnessing."""
