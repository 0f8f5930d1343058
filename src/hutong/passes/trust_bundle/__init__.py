"""Trust bundle: what verifiers and other nodes need to judge passes offline, signed and numbered."""
