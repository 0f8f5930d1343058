"""Files that are sent to the node: streamed into its own folder, under their own name, and gone when they were read."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path, PurePath

from fastapi import FastAPI, Request, UploadFile
from starlette.concurrency import run_in_threadpool

from hutong.errors import BadInput, HutongError, LimitExceeded
from hutong.governance import queries
from hutong.governance.account import TOKEN_PREFIX
from hutong.node import Node
from hutong.storage.records import clear_disk_errors
from hutong.trust.authorisation import PUBLIC, Actor, Resource

PATHS = frozenset({"/api/acquisition/submissions", "/en/steward/submissions", "/zh/steward/submissions"})
SESSION_COOKIE = "hutong_session"
CHUNK_BYTES = 2**20
NAME_BYTES = 180
FORM_BYTES = 2 * 2**20
"""Room for the other parts of the form: the mapping above all."""
FOLDER_PREFIX = "upload-"
LEFT_OVER_AFTER_SECONDS = 24 * 3600
"""An upload's folder in which nothing was written for a day is left over: no file takes so long to be read."""


@contextmanager
def received(node: Node, upload: UploadFile) -> Iterator[Path]:
    """The sent file as a file in the node's folder.

    Raises ``BadInput`` for none, ``LimitExceeded`` past ``limits.file_bytes``, ``Unavailable`` when the disk is full.
    """
    name = _safe_name(upload.filename or "")
    if not name:
        raise BadInput("No file was sent.", "Choose a file.")
    most = node.settings.limits.file_bytes
    with tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX, dir=node.settings.folder) as folder:
        path = Path(folder) / name
        with clear_disk_errors(), path.open("wb") as file:
            written = 0
            while chunk := upload.file.read(CHUNK_BYTES):
                written += len(chunk)
                if written > most:
                    raise LimitExceeded(f"The file is larger than {most} bytes.", "Split it.")
                file.write(chunk)
        yield path


@asynccontextmanager
async def swept(app: FastAPI) -> AsyncIterator[None]:
    """Part of the application's life: what earlier uploads left behind goes before the first one comes."""
    await run_in_threadpool(sweep, app.state.node)
    yield


def sweep(node: Node) -> int:
    """Remove what uploads left in the node's folder when their process was killed; how many there were.

    Another server of the same node may be receiving a file, so that only what is a day old counts as left over.
    """
    before = node.clock().timestamp() - LEFT_OVER_AFTER_SECONDS
    old = [
        folder
        for folder in node.settings.folder.glob(f"{FOLDER_PREFIX}*")
        if folder.is_dir() and not folder.is_symlink() and _newest_change(folder) < before
    ]
    for folder in old:
        shutil.rmtree(folder, ignore_errors=True)
    return sum(not folder.exists() for folder in old)


def _newest_change(folder: Path) -> float:
    times = [folder.stat().st_mtime]
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            times.append(path.lstat().st_mtime)
    return max(times)


async def most_bytes(request: Request) -> int:
    """How large the body of a request may be: a file's size only for those who may send one, so nobody else can fill
    the disk before they are turned away."""
    node: Node = request.app.state.node
    limits = node.settings.limits
    if request.url.path in PATHS and request.method == "POST" and await run_in_threadpool(_may_send, request, node):
        return limits.file_bytes + FORM_BYTES
    return limits.request_bytes


def _may_send(request: Request, node: Node) -> bool:
    return node.policy.decide(_sender(request, node), "acquire", Resource("Node", node.id)).allowed


def _sender(request: Request, node: Node) -> Actor:
    token = request.headers.get("authorization", "").partition(" ")[2]
    cookie = request.cookies.get(SESSION_COOKIE)
    try:
        if token.startswith(TOKEN_PREFIX) and token.isascii():
            return queries.token_actor(node, token)
        return queries.session(node, cookie).actor if cookie else PUBLIC
    except HutongError:
        # Whoever this is will be told so by the route; here it only counts that nobody known is asking.
        return PUBLIC


def _safe_name(given: str) -> str:
    name = "".join(sign for sign in PurePath(given.replace("\\", "/")).name if sign.isprintable())
    return name.encode("utf-8", "ignore")[-NAME_BYTES:].decode("utf-8", "ignore").strip(" .")
