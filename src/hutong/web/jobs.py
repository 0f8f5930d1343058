"""What runs beside the server: what was acknowledged moves from the inbox to the lake, at most seconds later."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from hutong.errors import HutongError
from hutong.node import Node

PERIOD_SECONDS: Final = 3.0
LONGEST_PAUSE_SECONDS: Final = 60.0

_logger = logging.getLogger(__name__)


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[None]:
    """Runs the jobs while the application is served."""
    job = asyncio.create_task(keep_moving(app.state.node, period_seconds=PERIOD_SECONDS))
    yield
    job.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await job


async def keep_moving(node: Node, *, period_seconds: float) -> None:
    """Move the inbox now and then, for ever. A failure is logged when it first occurs, and tried again more slowly."""
    failed = ""
    pause = period_seconds
    while True:
        await asyncio.sleep(pause)
        try:
            await run_in_threadpool(node.move_inbox)
        except (HutongError, SQLAlchemyError, OSError) as error:
            if type(error).__name__ != failed:
                failed = type(error).__name__
                _logger.warning("The inbox could not be moved: %s", error)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        else:
            failed, pause = "", period_seconds
