"""Hutong: the node that a health jurisdiction runs to collect, open and share health data in an emergency.

The public API is the names of ``__all__``; they load what they need when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hutong.errors import HutongError

if TYPE_CHECKING:
    from hutong.acquisition.actions import acquire, assess_quality
    from hutong.node import Node, init_node, open_node
    from hutong.opening.actions import publish
    from hutong.passes.certlogic.evaluate import evaluate
    from hutong.passes.credential.read import read_pass
    from hutong.passes.recognition.verification import verify_pass
    from hutong.trust.authorisation import Actor

__version__ = "0.1.0"

__all__ = [
    "Actor",
    "HutongError",
    "Node",
    "__version__",
    "acquire",
    "assess_quality",
    "evaluate",
    "init_node",
    "open_node",
    "publish",
    "read_pass",
    "verify_pass",
]

_HOME = {
    "Actor": "hutong.trust.authorisation",
    "Node": "hutong.node",
    "acquire": "hutong.acquisition.actions",
    "assess_quality": "hutong.acquisition.actions",
    "evaluate": "hutong.passes.certlogic.evaluate",
    "init_node": "hutong.node",
    "open_node": "hutong.node",
    "publish": "hutong.opening.actions",
    "read_pass": "hutong.passes.credential.read",
    "verify_pass": "hutong.passes.recognition.verification",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'hutong' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
