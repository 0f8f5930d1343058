"""Where the catalogue and the foreign suites are known to disagree, each with its reason. One file for all of them."""

HEALTHDCAT_AP: dict[tuple[str, str], str] = {}
"""Violations of the HealthDCAT-AP NON_PUBLIC shapes by a grade 2 dataset, as (property IRI, constraint): none."""

INVALID_EXAMPLES = {
    "example-bee-population-dataset-series-api.ttl": "line 20 has a slash in a prefixed name: not Turtle 1.1",
    "example-bee-population-dataset-series-combined.ttl": "line 32 has a slash in a prefixed name: not Turtle 1.1",
}
"""Examples of DCAT-AP that no Turtle parser reads (rdflib refuses them too)."""

RECOMMENDED_LEFT_OUT = {
    "license": "of the catalogue itself: each dataset says its own",
    "spatial": "of the catalogue itself: each dataset says its own",
    "themeTaxonomy": "the EU data-theme table is not copied into every catalogue",
    "availability": "of files: the node does not promise how long a file stays",
    "type": "of agents: the EU publisher-type table does not know health authorities elsewhere",
    "conformsTo": "of catalogue records",
    "status": "of catalogue records: only published datasets are in the catalogue",
    "description": "of files: the title tells the format and the release tells the rest",
    "endDate": "a dataset that goes on has no last day",
    "bbox": "territories are named by their codes, not drawn",
    "centroid": "territories are named by their codes, not drawn",
}
"""Properties that DCAT-AP recommends and the catalogue leaves out."""
