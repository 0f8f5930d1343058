"""YAML that people write (rules, mappings, declarations), read as JSON would be: bounded, and each key once.

It is outside input. Before anything is built the parser's events are walked: nesting, number, aliases (which could grow
into gigabytes) and keys given twice (of which YAML would silently take the last).
"""

from __future__ import annotations

import codecs
from typing import Any

import yaml

from hutong.errors import BadInput, LimitExceeded

MAX_DEPTH = 100
MAX_EVENTS = 200_000

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml, where PyYAML was built with it


class _PlainLoader(_Loader):  # type: ignore[misc]
    """YAML's JSON types only: dates stay text, because a rule reads text and a hash needs one spelling."""


_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def text_of(raw: bytes, name: str) -> str:
    """The text of a file in UTF-8, without its mark (BOM).

    Raises:
        BadInput: it is in another encoding. What is decoded with losses would be kept, logged and published so.
    """
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise BadInput(f"{name} is written in UTF-16.", "Save it as UTF-8.") from error
        line = raw.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{name} is not UTF-8 on line {line}.", "Save it as UTF-8.") from error


def load_yaml(text: str, name: str) -> Any:
    """What the text of one YAML (or JSON) document holds; dates stay text.

    Args:
        text: at most as long as the caller allows.
        name: what the messages call the document.

    Raises:
        yaml.YAMLError: not YAML; the caller knows what should have been there.
        BadInput: an alias, or a key twice.
        LimitExceeded: deeper than MAX_DEPTH, more than MAX_EVENTS.
    """
    try:
        _bound(text, name)
        return yaml.load(text, Loader=_PlainLoader)
    except yaml.reader.ReaderError as error:  # a control character; where it stands is counted in bytes or characters
        lines_before = text.count("\n", 0, text.find(chr(error.character)))
        mark = yaml.Mark(name, 0, lines_before, 0, None, 0)
        raise yaml.MarkedYAMLError(problem=error.reason, problem_mark=mark) from error
    except (ValueError, OverflowError) as error:  # a number of 5,000 digits, a surrogate
        raise yaml.YAMLError(str(error)) from error


def at_line(error: yaml.YAMLError) -> str:
    """Where the text stopped being YAML, for a sentence: `` on line 3``; empty when the parser does not say."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    return f" on line {mark.line + 1}" if mark else ""


def _bound(text: str, name: str) -> None:
    """Walk the parser's events before anything is built: they cost no memory and can't recurse."""
    depth = 0
    keys: list[set[str] | None] = []
    expects_key: list[bool] = []
    for count, event in enumerate(yaml.parse(text, Loader=_Loader)):
        if count > MAX_EVENTS or depth > MAX_DEPTH:
            raise LimitExceeded(f"{name} is too large or nested too deep.", "Split it, or make it flatter.")
        if isinstance(event, yaml.AliasEvent):
            raise BadInput(f"{name} uses a YAML alias.", "Write the value out where it is needed.")
        if isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            depth -= 1
            keys.pop()
            expects_key.pop()
            continue
        is_node = isinstance(event, yaml.ScalarEvent | yaml.MappingStartEvent | yaml.SequenceStartEvent)
        if is_node and keys and keys[-1] is not None:
            if expects_key[-1] and isinstance(event, yaml.ScalarEvent):
                if event.value in keys[-1]:
                    raise BadInput(f"{name} has the key {event.value[:40]!r} twice.", "Keep one of them.")
                keys[-1].add(event.value)
            expects_key[-1] = not expects_key[-1]
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            depth += 1
            keys.append(set() if isinstance(event, yaml.MappingStartEvent) else None)
            expects_key.append(True)
