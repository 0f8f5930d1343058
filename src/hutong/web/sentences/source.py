"""The package as syntax trees: its functions, constants and imports, and who calls what.

Names are resolved as far as reading them needs it: functions and constants of the same module or imported from
another one of the package, and methods by their name within their module.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final, TypeAlias

PACKAGE: Final = "hutong"
POLICIES: Final = "trust/policies.cedar"
AnyFunction: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A function or method. ``parameters`` are named in order, without the ``self`` of a method."""

    module: Module
    node: AnyFunction
    place: Place
    is_method: bool

    @property
    def parameters(self) -> list[str]:
        """The names of its parameters, those that take a position first."""
        given = self.node.args
        positional = [one.arg for one in (*given.posonlyargs, *given.args)]
        return positional[1 if self.is_method else 0 :] + [one.arg for one in given.kwonlyargs]

    @property
    def defaults(self) -> dict[str, ast.expr]:
        """What a parameter is when it is not given."""
        given = self.node.args
        positional = [*given.posonlyargs, *given.args]
        late = positional[len(positional) - len(given.defaults) :]
        named = {one.arg: value for one, value in zip(given.kwonlyargs, given.kw_defaults, strict=True) if value}
        return {**{one.arg: value for one, value in zip(late, given.defaults, strict=True)}, **named}

    def argument(self, call: ast.Call, name: str) -> ast.expr | None:
        """What a call gives for a parameter; None where it gives nothing, or only by ``*`` or ``**``."""
        for keyword in call.keywords:
            if keyword.arg == name:
                return keyword.value
        index = self.parameters.index(name)
        before = call.args[: index + 1]
        if len(before) <= index or any(isinstance(one, ast.Starred) for one in before):
            return None
        return before[index]


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where an expression stands: its module, and the functions around it, the outermost first."""

    module: Module
    functions: tuple[Function, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Module:
    """One file: ``path`` is relative to the package, ``imports`` maps a local name to (module, name in it or "")."""

    name: str
    path: Path
    tree: ast.Module
    functions: dict[str, list[Function]] = field(default_factory=lambda: defaultdict(list))
    constants: dict[str, ast.expr] = field(default_factory=dict)
    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)
    calls: list[tuple[ast.Call, Place]] = field(default_factory=list)


class Source:
    """All modules of the package below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.modules: dict[str, Module] = {}
        for path in sorted(folder.rglob("*.py")):
            relative = path.relative_to(folder)
            name = ".".join((PACKAGE, *relative.with_suffix("").parts)).removesuffix(".__init__")
            module = Module(name, relative, ast.parse(path.read_text("utf-8")))
            self.modules[name] = module
            _read(module, module.tree, Place(module), in_class=False)

    @cached_property
    def callers(self) -> Mapping[ast.AST, list[tuple[ast.Call, Place]]]:
        """The calls of each function, by its node."""
        found: dict[ast.AST, list[tuple[ast.Call, Place]]] = defaultdict(list)
        for module in self.modules.values():
            for call, place in module.calls:
                for function in self.called(call, place):
                    found[function.node].append((call, place))
        return found

    def called(self, call: ast.Call, place: Place) -> Iterator[Function]:
        """The functions of the package that a call may reach."""
        target, module = call.func, place.module
        if isinstance(target, ast.Name):
            where, name = module.imports.get(target.id, (module.name, target.id))
            known = self.modules.get(where)
            yield from (one for one in (known.functions.get(name, ()) if known else ()) if not one.is_method)
        elif isinstance(target, ast.Attribute):
            other = self._module_named(target.value, module)
            if other is not None:
                yield from (one for one in other.functions.get(target.attr, ()) if not one.is_method)
            else:
                yield from (one for one in module.functions.get(target.attr, ()) if one.is_method)

    def constant(self, name: str, module: Module) -> tuple[ast.expr, Place] | None:
        """The value of a module's constant, and where it stands."""
        where, there = module.imports.get(name, (module.name, name))
        known = self.modules.get(where)
        value = known.constants.get(there) if known else None
        return (value, Place(known)) if known and value is not None else None

    def enumeration(self, module: str, name: str) -> list[str]:
        """The texts of an enumeration, or of a constant that lists them."""
        known = self.modules[module]
        body: ast.AST = known.classes.get(name) or known.constants[name]
        texts = [one.value for one in ast.walk(body) if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        return [text for text in texts if text.replace("-", "").replace("_", "").isalpha()]

    def actions(self) -> Iterator[tuple[str, str]]:
        """What the policies are asked about, as the words of a refusal, and the file where it is asked."""
        for module in self.modules.values():
            for call, _ in module.calls:
                match call:
                    case ast.Call(func=ast.Attribute(attr="require"), args=[_, ast.Constant(value=str(name)), *_]):
                        yield name.replace("_", " "), module.path.as_posix()
        policies = (self.folder / POLICIES).read_text("utf-8")
        for name in sorted(set(re.findall(r'Action::"(\w+)"', policies))):
            yield name.replace("_", " "), POLICIES

    def _module_named(self, value: ast.expr, module: Module) -> Module | None:
        if not isinstance(value, ast.Name) or value.id not in module.imports:
            return None
        where, name = module.imports[value.id]
        return self.modules.get(f"{where}.{name}" if name else where)


def called_name(call: ast.Call) -> str:
    """The last part of what is called: ``BadInput`` of ``errors.BadInput(...)``."""
    target = call.func
    return target.id if isinstance(target, ast.Name) else target.attr if isinstance(target, ast.Attribute) else ""


def _read(module: Module, node: ast.AST, place: Place, *, in_class: bool) -> None:
    for child in ast.iter_child_nodes(node):
        inner = place
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            marks = {one.id for one in child.decorator_list if isinstance(one, ast.Name)}
            function = Function(module, child, place, in_class and "staticmethod" not in marks)
            module.functions[child.name].append(function)
            inner = Place(module, (*place.functions, function))
        elif isinstance(child, ast.ClassDef):
            module.classes[child.name] = child
        elif isinstance(child, ast.Call):
            module.calls.append((child, place))
        elif isinstance(child, ast.Import | ast.ImportFrom):
            _import(module, child)
        elif isinstance(child, ast.Assign | ast.AnnAssign) and not place.functions and not in_class:
            _constant(module, child)
        _read(module, child, inner, in_class=isinstance(child, ast.ClassDef))


def _import(module: Module, node: ast.Import | ast.ImportFrom) -> None:
    for one in node.names:
        if isinstance(node, ast.ImportFrom):
            module.imports[one.asname or one.name] = (_absolute(module, node), one.name)
        else:
            module.imports[one.asname or one.name.partition(".")[0]] = (one.name, "")


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    folder = (PACKAGE, *module.path.parent.parts)
    above = folder[: len(folder) - node.level + 1]
    return ".".join((*above, node.module) if node.module else above)


def _constant(module: Module, node: ast.Assign | ast.AnnAssign) -> None:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    for target in targets:
        if isinstance(target, ast.Name) and node.value is not None:
            module.constants[target.id] = node.value
