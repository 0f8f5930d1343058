"""Distributed collection for phones: a code for a token, exposure keys for a token, and signed batches for everybody.

The calls of phones take no account: nothing in them says who calls. Their bodies have a field ``padding``, thrown
away, so that all uploads can have one size; phones should also send decoys (a made-up token) now and then, upload at a
random time, and fetch every batch whether they need it or not.
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field

from hutong.errors import BadInput
from hutong.passes.exposure import actions, queries
from hutong.passes.exposure.key import DAY_INTERVALS, MAX_UPLOAD_KEYS, ExposureKey
from hutong.trust.authorisation import PUBLIC
from hutong.web.api.numbers import Whole
from hutong.web.api.times import Day
from hutong.web.doors import CurrentActor, CurrentNode, problems

router = APIRouter(tags=["exposure"])

NO_STORE = {"Cache-Control": "no-store"}
MOST_PADDING = 8192
DAY_SECONDS = 86_400


class CodeOrder(BaseModel):
    """For what an authority asks a code."""

    emergency: str = Field(min_length=1, max_length=60)
    report_type: Literal["confirmed_test", "confirmed_clinical_diagnosis", "self_report"] = "confirmed_test"
    onset_on: Day | None = Field(None, description="Day of the first symptoms, at most 28 days ago")


class Code(BaseModel):
    """A code, shown once."""

    code: str = Field(description="Twelve digits, to be told to the person")
    expires_at: datetime


class CodeGiven(BaseModel):
    code: str = Field(pattern="^[0-9]{12}$", examples=["047118150815"])
    padding: str = Field("", max_length=MOST_PADDING, description="Thrown away")


class Token(BaseModel):
    """What a code was exchanged for."""

    token: str = Field(description="Good for one upload")
    report_type: str
    expires_at: datetime


class KeyModel(BaseModel):
    """A temporary exposure key; the names are those of the export format."""

    key_data: str = Field(pattern="^[A-Za-z0-9+/]{22}==$", description="16 octets in base64")
    rolling_start_interval_number: Whole = Field(
        ge=0, lt=2**31 - DAY_INTERVALS, description="Ten minutes each since 1970"
    )
    rolling_period: Whole = Field(DAY_INTERVALS, ge=1, le=DAY_INTERVALS)


class Upload(BaseModel):
    """The keys of one phone."""

    token: str = Field(min_length=1, max_length=100)
    keys: list[KeyModel] = Field(min_length=1, max_length=MAX_UPLOAD_KEYS)
    padding: str = Field("", max_length=MOST_PADDING, description="Thrown away")


class Uploaded(BaseModel):
    accepted: int = Field(description="How many keys were given")


@router.post("/api/exposure/codes", status_code=201, responses=problems(401, 403, 422, 429))
def issue_code(node: CurrentNode, actor: CurrentActor, order: CodeOrder, response: Response) -> Code:
    """A one-time code for a person whose infection was found; it lasts an hour and is shown once."""
    response.headers.update(NO_STORE)
    issued = actions.issue_code(
        node, by=actor, emergency_id=order.emergency, report_type=order.report_type, onset_on=order.onset_on
    )
    return Code(code=issued.code, expires_at=issued.expires_at)


@router.post("/api/exposure/tokens", responses=problems(403, 422, 429))
def exchange_code(node: CurrentNode, request: Request, given: CodeGiven, response: Response) -> Token:
    """Exchange a code for a token. Whatever is wrong with a code, the answer is the same."""
    response.headers.update(NO_STORE)
    address = request.client.host if request.client else ""
    got = actions.exchange_code(node, by=PUBLIC, code=given.code, address=address)
    return Token(token=got.token, report_type=got.report_type.name.lower(), expires_at=got.expires_at)


@router.post("/api/exposure/keys", responses=problems(403, 422))
def upload_keys(node: CurrentNode, upload: Upload, response: Response) -> Uploaded:
    """Give the keys of one phone, all or none. They are told after their own end, with the next batch."""
    response.headers.update(NO_STORE)
    keys = [_key(given) for given in upload.keys]
    return Uploaded(accepted=actions.upload_keys(node, by=PUBLIC, token=upload.token, keys=keys))


@router.get(
    "/exposure/index.txt",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **problems(403)},
)
def get_index(node: CurrentNode) -> Response:
    """The batches that may be downloaded, the oldest first: a file name on each line, beside this file."""
    lines = "".join(f"{batch.id}.zip\n" for batch in queries.batches(node))
    return Response(lines, media_type="text/plain", headers={"Cache-Control": "no-cache"})


ARCHIVE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The archive: export.bin and export.sig",
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("/exposure/{batch}.zip", response_class=Response, responses={**ARCHIVE, **problems(403, 404, 422)})
def get_batch(
    node: CurrentNode, batch: Annotated[str, Path(pattern="^[0-9]{10,12}-[0-9a-z]{8}$", description="A batch's id")]
) -> Response:
    """A signed batch in the Exposure Notification export format."""
    about, content = queries.archive(node, batch)
    headers = {"ETag": f'"{about.sha256}"', "Cache-Control": f"public, max-age={DAY_SECONDS}"}
    return Response(content, media_type="application/zip", headers=headers)


def _key(given: KeyModel) -> ExposureKey:
    try:
        data = base64.b64decode(given.key_data, validate=True)
    except binascii.Error as error:
        raise BadInput("A key is not in base64.", "Give 16 octets in base64.") from error
    return ExposureKey(data, given.rolling_start_interval_number, given.rolling_period)
