"""Pages: the log in words, one entry with its proof followed step by step, and a check of a proof from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Annotated, Any
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter, Form, Path, Query, Request
from fastapi.responses import HTMLResponse

from hutong.errors import HutongError
from hutong.governance import queries
from hutong.node import Node
from hutong.trust.log.checkpoint import open_checkpoint, verify_cosignature
from hutong.trust.log.foreign_proof import MAX_PROOF_CHARACTERS, ForeignProof, read_proof
from hutong.trust.log.inclusion_steps import inclusion_steps
from hutong.trust.log.journal import Entry
from hutong.trust.log.merkle import leaf_hash
from hutong.trust.log.note import COSIGNATURE_V1
from hutong.web import code_words
from hutong.web.doors import CurrentNode
from hutong.web.i18n import Language, Translations
from hutong.web.log_sentences import CODES, kind_name, sentence
from hutong.web.portal.page import PageLanguage, page, words_of

router = APIRouter()

PAGE_ENTRIES = 30
MAX_INDEX = 2**53 - 1
COMMON = ("kind", "by", "at")


@router.get("/{language}/log", response_class=HTMLResponse)
def show_log(
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    kind: Annotated[str, Query(max_length=60)] = "",
    before: Annotated[int | None, Query(ge=0, le=MAX_INDEX)] = None,
) -> HTMLResponse:
    """Entries, the newest first."""
    return _log_page(request, node, language, kind=kind, before=before)


@router.post("/{language}/log", response_class=HTMLResponse)
def check_proof(
    request: Request,
    node: CurrentNode,
    language: PageLanguage,
    proof: Annotated[str, Form(max_length=MAX_PROOF_CHARACTERS)] = "",
) -> HTMLResponse:
    """Checks a proof that somebody has; it changes nothing, so anyone may send it."""
    try:
        checked = read_proof(proof)
        checked.verify()
    except HutongError as error:
        return _log_page(request, node, language, pasted=proof, error=error, status=422)
    ours = checked.key == node.log.key
    return _log_page(request, node, language, pasted=proof, checked=checked, ours=ours)


@router.get("/{language}/log/{index}", response_class=HTMLResponse)
def show_entry(
    request: Request, node: CurrentNode, language: PageLanguage, index: Annotated[int, Path(ge=0, le=MAX_INDEX)]
) -> HTMLResponse:
    """One entry, and the proof that it is in the log, computed anew."""
    words = words_of(language)
    proof = node.log.prove(index)
    proof.verify(node.log.key)
    leaf = leaf_hash(proof.entry)
    entry = Entry(index, proof.entry)
    return page(
        request,
        language,
        "log_entry.html",
        entry=_shown(entry, words),
        facts=_facts(entry.event, words),
        raw=orjson.dumps(entry.event, option=orjson.OPT_INDENT_2).decode(),
        proof=proof,
        leaf=leaf.hex(),
        steps=inclusion_steps(index, proof.size, leaf, proof.hashes),
        state=_checkpoint(node, words),
        proof_json=orjson.dumps(
            {**proof.document(), "verifier_key": str(node.log.key)}, option=orjson.OPT_INDENT_2
        ).decode(),
        next=index + 1 if index + 1 < proof.size else None,
    )


def _log_page(
    request: Request,
    node: Node,
    language: Language,
    *,
    kind: str = "",
    before: int | None = None,
    status: int = 200,
    **check: Any,
) -> HTMLResponse:
    words = words_of(language)
    found = node.log.entries(newest_before=before, kind=kind or None, limit=PAGE_ENTRIES + 1)
    shown = found[:PAGE_ENTRIES]
    older = None
    if len(found) > PAGE_ENTRIES:
        kept = {"kind": kind} if kind else {}
        older = f"/{language.code}/log?{urlencode({**kept, 'before': shown[-1].index})}"
    kinds = node.log.kinds()
    checked: ForeignProof | None = check.get("checked")
    return page(
        request,
        language,
        "log.html",
        status=status,
        entries=[_shown(entry, words) for entry in shown],
        kinds=[(name, f"{kind_name(name, words)} ({words.number(count)})") for name, count in kinds.items()],
        kind=kind,
        kind_text=kind_name(kind, words) if kind else "",
        older=older,
        newest=f"/{language.code}/log" + (f"?{urlencode({'kind': kind})}" if kind else "")
        if before is not None
        else None,
        total=sum(kinds.values()),
        state=_checkpoint(node, words),
        pasted=check.get("pasted", ""),
        error=check.get("error"),
        checked=checked,
        checked_sentence=sentence(checked.event, words) if checked else "",
        ours=check.get("ours", False),
    )


def _shown(entry: Entry, words: Translations) -> SimpleNamespace:
    event = entry.event
    return SimpleNamespace(
        index=entry.index,
        kind=event["kind"],
        kind_text=kind_name(event["kind"], words),
        sentence=sentence(event, words),
        at=datetime.fromisoformat(event["at"]),
        by=event["by"],
    )


def _facts(event: Mapping[str, Any], words: Translations) -> list[tuple[str, str]]:
    """Every fact as it stands in the entry, a code with its word before it."""

    def told(name: str, value: Any) -> str:
        if name in CODES and isinstance(value, str):
            label = CODES[name](value, words)
            return label if value in label else code_words.beside(label, value)
        return value if isinstance(value, str) else orjson.dumps(value).decode()

    return [(name, told(name, value)) for name, value in sorted(event.items()) if name not in COMMON]


def _checkpoint(node: Node, words: Translations) -> SimpleNamespace:
    """The newest checkpoint, the witnesses whose cosignatures of it fit, and how far the others have come."""
    message = node.log.checkpoint()
    known = {key.name: key for key in (queries.cosigner_key(party) for party in queries.parties(node))}
    opened = open_checkpoint(message, [node.log.key, *known.values()], node.log.key.name)
    signed = {}
    for signature in opened.verified:
        key = known.get(signature.name)
        if key is not None and key.kind == COSIGNATURE_V1:
            seconds = verify_cosignature(opened.checkpoint, signature, key)
            signed[signature.name.partition(".")[0]] = words.moment(datetime.fromtimestamp(seconds, UTC))
    behind = [
        (witness.party.id, witness.size, words.moment(witness.at) if witness.at else "")
        for witness in queries.witnesses(node)
        if witness.party.id not in signed
    ]
    return SimpleNamespace(
        size=opened.checkpoint.size,
        root=opened.checkpoint.root.hex(),
        text=message.decode(),
        key=str(node.log.key),
        signed=signed,
        behind=behind,
    )
