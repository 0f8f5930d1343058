"""The catalogue and its forms: DCAT-AP, schema.org, CKAN, and search."""
