"""The machine doors, one file for each stage, described by OpenAPI 3.1 at ``/api/openapi.json``."""
