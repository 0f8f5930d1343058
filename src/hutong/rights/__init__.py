"""The rights of the people whom the data are about. The vault is the only place with direct identifiers."""
