"""The page of errors: the tree with its codes."""

from __future__ import annotations

from collections.abc import Iterator

from docs.writers.markdown import first_sentence, page, table

from hutong.errors import HutongError


def write() -> str:
    """The page."""
    rows = [
        (
            f"`{kind.__name__}`"
            + (f" (a `{kind.__bases__[0].__name__}`)" if kind.__bases__[0] is not HutongError else ""),
            f"`{kind.code}`",
            kind.status,
            kind.exit_code,
            first_sentence(kind.__doc__),
        )
        for kind in tree(HutongError)
        if kind is not HutongError
    ]
    return page("Errors", "src/hutong/errors.py", _INTRODUCTION, table(_HEAD, rows), _ENDING)


def tree(kind: type[HutongError]) -> Iterator[type[HutongError]]:
    """An error and all below it, in the order of the file."""
    yield kind
    for below in kind.__subclasses__():
        yield from tree(below)


_HEAD = ("Error", "Code", "HTTP status", "Exit code", "Meaning")
_INTRODUCTION = """
Every error that reaches somebody is one of these. Each says in one sentence *what* happened and in another what to
*do*. In Python it is an exception with `what` and `do`; on the command line one line and an exit code; over HTTP
problem details (RFC 9457) of the type `urn:hutong:problem:CODE` with `title` (what), `detail` (what to do) and, when a
policy said no, `reasons`; in a browser a page.
"""
_ENDING = """
Anything else is a defect: the command line answers it with exit code 1 and writes a report to the folder for temporary
files, the server with status 500.
"""
