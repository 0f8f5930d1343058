"""Signed passes: the containers of the field (HCERT, SMART Health Cards) and the node's own minimal pass."""
