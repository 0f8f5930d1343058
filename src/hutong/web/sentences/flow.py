"""Where the words of a text come from: an expression followed back to the strings that are written in the source.

Only what is needed to read error messages: constants, f-strings, alternatives, variables, parameters (through all
calls of their function), results of functions, and look-ups in tables that are written out.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from hutong.web.sentences.source import Function, Place, Source, called_name

Shape: TypeAlias = "tuple[str | Slot, ...]"
Expressions: TypeAlias = Iterator[tuple[ast.expr, Place]]

SAID_ELSEWHERE: Final = frozenset({"what", "do", "state", "outcome"})
"""Attributes whose text is an entry of its own: the sentences of another error, a state's name."""
COMPOSED: Final = frozenset({"message", "what"})
"""Fields of a class of the same module that are given as sentences where it is made."""
QUOTES: Final = ("`", '"', "'", "/")
"""What stands before the name of a field or a file, which is the same in every language."""
STRIPPING: Final = frozenset({"strip", "lstrip", "rstrip"})
SAME: Final = frozenset({"str", "tuple", "list", "sorted", "dict", "MappingProxyType", "N_"})


@dataclass(frozen=True, slots=True)
class Slot:
    """A value within a sentence. ``shapes`` are the texts that it may be; empty when they are not in the source."""

    shapes: frozenset[Shape] = frozenset()


_PATH: Final = re.compile(r"[/.]\w")
ELSEWHERE: Final[Shape] = (Slot(),)
"""A text that is known, but written down at another place."""


class Flow:
    """Follows expressions through the package."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._known: dict[tuple[ast.AST, str], frozenset[Shape]] = {}
        self._under_way: set[tuple[ast.AST, str]] = set()

    def shapes(self, value: ast.expr, place: Place) -> frozenset[Shape]:
        """The texts that an expression may be, as far as they are written in the source."""
        found: frozenset[Shape]
        match value:
            case ast.Constant(value=str(text)):
                found = frozenset({(text,)})
            case ast.JoinedStr():
                found = frozenset({tuple(self._parts(value, place))})
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                ends = self.shapes(right, place)
                found = frozenset((*one, *other) for one in self.shapes(left, place) for other in ends)
            case ast.Attribute(attr=name):
                found = self._attribute(name, place)
            case ast.Name(id=name):
                found = self._variable(name, place)
            case ast.Call():
                found = self._call(value, place)
            case ast.Subscript(value=table):
                found = self._all(self._elements(table, place))
            case _:
                found = self._all((one, place) for one in _alternatives(value))
        return found

    def _call(self, call: ast.Call, place: Place) -> frozenset[Shape]:
        match call:
            case ast.Call(func=ast.Attribute(value=ast.Constant(value=" "), attr="join"), args=[joined]):
                return self._all(self._elements(joined, place)) | {ELSEWHERE}
            case ast.Call(func=ast.Attribute(value=inner, attr=name)) if name in STRIPPING:
                return self.shapes(inner, place)
            case ast.Call(func=ast.Attribute(value=inner, attr="replace"), args=[ast.Constant("_"), ast.Constant(" ")]):
                return frozenset(_spaced(shape) for shape in self.shapes(inner, place)) | {ELSEWHERE}
            case ast.Call(func=ast.Attribute(value=table, attr="get"), args=[_, *rest]):
                return self._all(self._elements(table, place)) | self._all((one, place) for one in rest)
            case ast.Call(func=ast.Name(id=name), args=[inner]) if name in SAME:
                return self.shapes(inner, place)
        results = (self._results(one) for one in self._source.called(call, place))
        return frozenset(shape for found in results for shape in found)

    def _all(self, expressions: Iterable[tuple[ast.expr, Place]]) -> frozenset[Shape]:
        return frozenset(shape for value, place in expressions for shape in self.shapes(value, place))

    def _parts(self, text: ast.JoinedStr, place: Place) -> Iterator[str | Slot]:
        around = ["", *(str(one.value) if isinstance(one, ast.Constant) else "" for one in text.values), ""]
        for part, before, after in zip(text.values, around, around[2:], strict=False):
            if isinstance(part, ast.Constant):
                yield str(part.value)
            elif isinstance(part, ast.FormattedValue):
                plain = part.conversion == -1 and part.format_spec is None
                is_name = before.endswith(QUOTES) or _PATH.match(after) is not None
                yield Slot(self.shapes(part.value, place)) if plain and not is_name else Slot()

    def _attribute(self, name: str, place: Place) -> frozenset[Shape]:
        made = self._all(_composed(name, place)) if name in COMPOSED else frozenset()
        return made | {ELSEWHERE} if name in SAID_ELSEWHERE else made

    def _variable(self, name: str, place: Place) -> frozenset[Shape]:
        for function in reversed(place.functions):
            if name in function.parameters or name in _bound(function):
                return self._once(function.node, name, self._values(function, name))
        constant = self._source.constant(name, place.module)
        return self._once(place.module.tree, name, iter((constant,))) if constant else frozenset()

    def _results(self, function: Function) -> frozenset[Shape]:
        inside = Place(function.module, (*function.place.functions, function))
        found = ((one.value, inside) for one in _own(function.node) if isinstance(one, ast.Return) and one.value)
        return self._once(function.node, "return", found)

    def _once(self, scope: ast.AST, name: str, values: Expressions) -> frozenset[Shape]:
        """What a name may be; within its own definition (``where = f"{where}, a level"``) it is known elsewhere."""
        key = scope, name
        if key in self._under_way:
            return frozenset({ELSEWHERE})
        if key not in self._known:
            self._under_way.add(key)
            self._known[key] = self._all(values)
            self._under_way.discard(key)
        return self._known[key]

    def _values(self, function: Function, name: str) -> Expressions:
        """Everything that a variable or a parameter is set to."""
        inside = Place(function.module, (*function.place.functions, function))
        for value, way in _bound(function).get(name, ()):
            yield from self._along(value, inside, way)
        if name in function.parameters:
            if name in function.defaults:
                yield function.defaults[name], function.place
            for call, place in self._source.callers.get(function.node, ()):
                given = function.argument(call, name)
                if given is not None:
                    yield given, place

    def _along(self, value: ast.expr, place: Place, way: tuple[int, ...]) -> Expressions:
        """The parts of a value that unpacking takes: -1 is each element, any other number the one at that position."""
        if not way:
            yield value, place
        elif way[0] == -1:
            for one, where in self._elements(value, place, of_items=True):
                yield from self._along(one, where, way[1:])
        elif isinstance(value, ast.Tuple | ast.List) and way[0] < len(value.elts):
            yield from self._along(value.elts[way[0]], place, way[1:])

    def _elements(self, value: ast.expr, place: Place, *, of_items: bool = False) -> Expressions:
        """The elements of a list or tuple and the values of a table that are written out, also behind a name."""
        match value:
            case ast.Tuple() | ast.List() | ast.Set():
                yield from ((one, place) for one in value.elts)
            case ast.Dict():
                yield from ((one, place) for one in value.values)
            case ast.GeneratorExp(elt=one) | ast.ListComp(elt=one):
                yield one, place
            case ast.Call(func=ast.Attribute(value=ast.Dict() | ast.Name() as table, attr="items")) if of_items:
                for known, where in self._tables(table, place):
                    keys = zip(known.keys, known.values, strict=True)
                    yield from ((ast.Tuple([key, one]), where) for key, one in keys if key is not None)
            case ast.Call(args=[inner]) if called_name(value) in SAME:
                yield from self._elements(inner, place, of_items=of_items)
            case ast.Name(id=name):
                for one, where in self._meanings(name, place):
                    if not isinstance(one, ast.Name):
                        yield from self._elements(one, where, of_items=of_items)
            case _:
                for one in _alternatives(value):
                    yield from self._elements(one, place, of_items=of_items)

    def _tables(self, value: ast.expr, place: Place) -> Iterator[tuple[ast.Dict, Place]]:
        meant = self._meanings(value.id, place) if isinstance(value, ast.Name) else iter(((value, place),))
        for one, where in meant:
            inner = one.args[0] if isinstance(one, ast.Call) and one.args else one
            if isinstance(inner, ast.Dict):
                yield inner, where

    def _meanings(self, name: str, place: Place) -> Expressions:
        for function in reversed(place.functions):
            if name in function.parameters or name in _bound(function):
                yield from (
                    (value, Place(function.module, (*function.place.functions, function)))
                    for value, way in _bound(function).get(name, ())
                    if not way
                )
                return
        constant = self._source.constant(name, place.module)
        if constant:
            yield constant


def _spaced(shape: Shape) -> Shape:
    return tuple(part.replace("_", " ") if isinstance(part, str) else part for part in shape)


def _alternatives(value: ast.expr) -> list[ast.expr]:
    match value:
        case ast.IfExp():
            return [value.body, value.orelse]
        case ast.BoolOp():
            return value.values
        case ast.NamedExpr() | ast.Starred() | ast.Await():
            return [value.value]
    return []


def _composed(name: str, place: Place) -> Expressions:
    """What the classes of this module are made with for a field of this name."""
    module = place.module
    fields = {
        known: [
            one.target.id for one in body.body if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
        ]
        for known, body in module.classes.items()
    }
    for call, where in module.calls:
        names = fields.get(called_name(call), [])
        if name not in names:
            continue
        yield from ((one.value, where) for one in call.keywords if one.arg == name)
        if names.index(name) < len(call.args):
            yield call.args[names.index(name)], where


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function without those of the functions inside it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            yield child
            yield from _own(child)


def _bound(function: Function) -> dict[str, list[tuple[ast.expr, tuple[int, ...]]]]:
    """What each variable of a function is set to, and by which way of unpacking."""
    found: dict[str, list[tuple[ast.expr, tuple[int, ...]]]] = {}
    pairs: list[tuple[ast.expr, ast.expr, tuple[int, ...]]]
    for node in _own(function.node):
        match node:
            case ast.Assign(targets=targets, value=value):
                pairs = [(target, value, ()) for target in targets]
            case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.NamedExpr(target=target, value=value):
                pairs = [(target, value, ())]
            case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                pairs = [(target, value, (-1,))]
            case _:
                continue
        for target, value, way in pairs:
            for name, inner in _names(target, way):
                found.setdefault(name, []).append((value, inner))
    return found


def _names(target: ast.expr, way: tuple[int, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
    if isinstance(target, ast.Name):
        yield target.id, way
    elif isinstance(target, ast.Tuple | ast.List):
        for index, one in enumerate(target.elts):
            yield from _names(one, (*way, index))
