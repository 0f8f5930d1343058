"""The log for machines: checkpoint and tiles (C2SP tlog-tiles), witnessing (C2SP tlog-witness), entries and proofs."""

from __future__ import annotations

import threading
import time
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from hutong.governance import actions, queries
from hutong.storage.kept import Kept
from hutong.trust.authorisation import PUBLIC
from hutong.trust.log.checkpoint import Checkpoint
from hutong.trust.log.foreign_proof import MAX_PROOF_CHARACTERS, read_proof
from hutong.trust.log.witness import MAX_REQUEST_BYTES
from hutong.web.doors import CurrentNode, problems

router = APIRouter(tags=["log"])
MAX_INDEX = 2**53 - 1
CHECK_SECONDS = 60
_checked: Kept[Checkpoint] = Kept(most=8)
_checking = threading.Lock()
"""Anybody may ask for a check, which reads the whole log: one at a time, and once a minute."""


class LogEntry(BaseModel):
    """One entry of the log."""

    index: int
    event: dict[str, Any] = Field(description="kind, by, at, and facts: ids, counts, hashes and dates")


class LogPage(BaseModel):
    size: int = Field(description="Entries in the whole log")
    entries: list[LogEntry] = Field(description="The newest first")


class Proof(BaseModel):
    """All that is needed to check one entry offline."""

    index: int
    size: int
    entry: dict[str, Any]
    entry_base64: str
    hashes: list[str] = Field(description="Inclusion proof (RFC 9162), base64")
    checkpoint: str = Field(description="Signed checkpoint (C2SP)")
    verifier_key: str = Field(description="The log's public key (C2SP signed-note)")


class ProofToCheck(BaseModel):
    proof: str = Field(
        min_length=1, max_length=MAX_PROOF_CHARACTERS, description="The JSON of a proof, of this log or of another"
    )


class CheckedProof(BaseModel):
    """An entry that is in the log that the proof names: whose log that is must be known otherwise."""

    index: int
    size: int
    event: dict[str, Any]
    verifier_key: str
    ours: bool = Field(description="Whether it is the log of this node")


class WitnessState(BaseModel):
    """A party that witnesses this log, and how far it has come."""

    party: str
    size: int = Field(description="Entries in the newest checkpoint that it cosigned; 0: none yet")
    at: datetime | None


class LogState(BaseModel):
    """The outcome of recomputing the whole log."""

    size: int
    root: str
    verifier_key: str


@router.get("/log/checkpoint", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def get_checkpoint(node: CurrentNode) -> Response:
    """The newest signed checkpoint, with cosignatures."""
    return Response(node.log.checkpoint(), media_type="text/plain; charset=utf-8")


@router.get(
    "/log/tile/{path:path}",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}}, **problems(404, 422)},
)
def get_tile(node: CurrentNode, path: Annotated[str, Path(max_length=200)]) -> Response:
    """A tile or an entry bundle."""
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(node.log.tile(f"tile/{path}"), media_type="application/octet-stream", headers=headers)


TEXT = {"schema": {"type": "string"}}
WITNESS_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The cosignature", "content": {"text/plain": TEXT}},
    400: {"description": "The request can't be read", "content": {"text/plain": TEXT}},
    403: {"description": "The checkpoint is not signed by the log", "content": {"text/plain": TEXT}},
    404: {"description": "The log is not known here", "content": {"text/plain": TEXT}},
    409: {"description": "Another size was cosigned last: that size", "content": {"text/x.tlog.size": TEXT}},
    422: {"description": "The checkpoint does not continue the last one", "content": {"text/plain": TEXT}},
}


@router.post(
    "/log/witness/add-checkpoint",
    response_class=Response,
    responses=WITNESS_ANSWERS,
    openapi_extra={"requestBody": {"required": True, "content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def add_checkpoint(node: CurrentNode, request: Request) -> Response:
    """Witness another log's checkpoint."""
    body = await request.body()
    answer = await run_in_threadpool(
        actions.answer_witness_request, node, by=PUBLIC, body=body[: MAX_REQUEST_BYTES + 1]
    )
    return Response(answer.body, status_code=answer.status, media_type=answer.content_type)


@router.get("/api/log/entries", responses=problems(422))
def get_entries(
    node: CurrentNode,
    before: Annotated[int | None, Query(ge=0, le=MAX_INDEX, description="Only entries below this index")] = None,
    kind: Annotated[str | None, Query(max_length=60)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> LogPage:
    """Entries, the newest first."""
    entries = node.log.entries(newest_before=before, kind=kind, limit=limit)
    return LogPage(size=node.log.size(), entries=[LogEntry(index=entry.index, event=entry.event) for entry in entries])


@router.get("/api/log/entries/{index}/proof", responses=problems(404, 422))
def get_proof(node: CurrentNode, index: Annotated[int, Path(ge=0, le=MAX_INDEX)]) -> Proof:
    """Proof that the entry is in the log."""
    return Proof(**node.log.prove(index).document(), verifier_key=str(node.log.key))


@router.post("/api/log/proof-check", responses=problems(400, 413, 422))
def check_proof(node: CurrentNode, given: ProofToCheck) -> CheckedProof:
    """Check a proof that somebody has; nothing is kept."""
    found = read_proof(given.proof)
    found.verify()
    return CheckedProof(
        index=found.proof.index,
        size=found.proof.size,
        event=dict(found.event),
        verifier_key=str(found.key),
        ours=found.key == node.log.key,
    )


@router.get("/api/log/witnesses")
def get_witnesses(node: CurrentNode) -> list[WitnessState]:
    """Who witnesses this log, and how far each has come."""
    return [WitnessState(party=one.party.id, size=one.size, at=one.at) for one in queries.witnesses(node)]


@router.get("/api/log/check", responses=problems(422))
def check_log(node: CurrentNode) -> LogState:
    """Recompute the whole log and compare it with its signatures; the answer is at most a minute old."""
    with _checking:
        asked = (node.settings.folder, node.log.size(), int(time.monotonic() // CHECK_SECONDS))
        checkpoint = _checked.get(asked, lambda: node.log.check(witnesses=queries.witness_keys(node)))
    return LogState(size=checkpoint.size, root=checkpoint.root.hex(), verifier_key=str(node.log.key))
