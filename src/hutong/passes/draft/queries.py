"""What was published before: where a new version begins."""

from __future__ import annotations

from dataclasses import dataclass

from hutong.node import Node

from ..documents import Document, document_hash
from ..recognition import queries as recognition_queries
from ..rulebook import queries as rulebook_queries
from .draft import Kind


@dataclass(frozen=True, slots=True)
class PublishedDocument:
    """The newest version of a document of rules."""

    kind: Kind
    id: str
    version: str
    hash: str
    document: Document


def newest_documents(node: Node) -> list[PublishedDocument]:
    """The newest version of every rulebook, crosswalk and set of scenes; what is announced counts, too."""
    rulebooks: dict[str, Document] = {}
    for one in rulebook_queries.all_rulebooks(node):
        rulebooks.setdefault(one.rulebook.id, one.rulebook.document)
    found = [(Kind.RULEBOOK, document) for document in rulebooks.values()]
    for kind, name in ((Kind.CROSSWALK, recognition_queries.CROSSWALK), (Kind.SCENES, recognition_queries.SCENES)):
        found += [(kind, document) for document in recognition_queries.newest_documents(node, name)]
    return [
        PublishedDocument(kind, document["id"], document["version"], document_hash(document), document)
        for kind, document in found
    ]
