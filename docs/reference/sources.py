"""Reading sources without running them: which texts an expression may give, as far as the sources alone say."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

GAP = "…"
"""What stands for a part that is known only when it happens."""
_DEPTH = 6  # functions that call each other
_MOST = 12  # alternatives of one expression

Function = ast.FunctionDef | ast.AsyncFunctionDef
Bound = Mapping[str, list[str]]
"""What the parameters of a function are given, where that is known."""


@dataclass(frozen=True)
class Call:
    """A call, in which module, class and function it stands."""

    module: "Module"
    node: ast.Call
    function: Function | None
    owner: str

    @property
    def name(self) -> str:
        """What is called, without what it is looked up in."""
        return _name(self.node.func)

    @property
    def parameters(self) -> list[str]:
        """The names of the parameters of the function that it stands in."""
        return _parameters(self.function) if self.function else []

    def argument(self, place: int, name: str) -> ast.expr | None:
        """The argument of that place or name; None when it isn't given."""
        for keyword in self.node.keywords:
            if keyword.arg == name:
                return keyword.value
        given = self.node.args[place : place + 1] if place >= 0 else []
        return given[0] if given and not isinstance(given[0], ast.Starred) else None

    def texts(self, node: ast.expr | None, bound: Bound | None = None) -> list[str]:
        """What the expression may be, seen from this call."""
        return self.module.texts(node, self.function, bound or {})


@dataclass
class Module:
    """One source file; `root` is the folder that its imports begin at."""

    path: Path
    root: Path
    library: "Library" = field(repr=False)

    @cached_property
    def tree(self) -> ast.Module:
        """What is in it."""
        return ast.parse(self.path.read_text(encoding="utf-8"))

    @cached_property
    def functions(self) -> dict[str, Function]:
        """Its functions, those of classes too."""
        return {node.name: node for node in ast.walk(self.tree) if isinstance(node, Function)}

    @cached_property
    def calls(self) -> list[Call]:
        """All calls in it."""
        return list(_calls(self, self.tree, None, ""))

    @cached_property
    def _imported(self) -> dict[str, tuple[str, str]]:
        found: dict[str, tuple[str, str]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom):
                base = self._package(node)
                found |= {(each.asname or each.name): (base, each.name) for each in node.names}
        return found

    def _package(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.path.relative_to(self.root).parts[: -node.level]
        return ".".join([*parts, *([node.module] if node.module else [])])

    def texts(self, node: ast.expr | None, function: Function | None, bound: Bound, depth: int = _DEPTH) -> list[str]:
        """What the expression may be, each way once; nothing where the sources don't say."""
        found = list(dict.fromkeys(self._texts(node, function, bound, depth)))
        return found[:_MOST]

    def _texts(self, node: ast.expr | None, function: Function | None, bound: Bound, depth: int) -> Iterator[str]:
        def again(part: ast.expr | None) -> list[str]:
            return self.texts(part, function, bound, depth)

        match node:
            case ast.Constant(value=str(text)):
                yield text
            case ast.JoinedStr(values=parts):
                yield "".join(_one(again(part)) for part in parts)
            case ast.FormattedValue(value=ast.Name() | ast.Attribute() as value) if not self._of_run(value, function):
                yield from again(value)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                yield _one(again(left)) + _one(again(right))
            case ast.IfExp(body=body, orelse=other):
                yield from (*again(body), *again(other))
            case ast.BoolOp(values=values):
                yield from (text for value in values for text in again(value))
            case ast.Subscript(value=ast.Name() as name):
                yield from self._of_mapping(name.id)
            case ast.Name(id=name):
                yield from self._named(name, function, bound, depth)
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if owner in self._imported:
                base, of = self._imported[owner]
                if module := self.library.module(f"{base}.{of}"):
                    yield from module._named(name, None, {}, depth)
            case ast.Call(func=ast.Attribute(value=value, attr="strip" | "rstrip")):
                yield from again(value)
            case ast.Call(func=ast.Name(id="str"), args=[value, *_]):
                yield from again(value)
            case ast.Call() if depth:
                yield from self._returned(node, function, bound, depth - 1)

    def _named(self, name: str, function: Function | None, bound: Bound, depth: int) -> Iterator[str]:
        if name in bound:
            yield from bound[name]
        elif function and (values := list(_assigned(function, name))):
            if depth:
                yield from (text for value in values for text in self.texts(value, function, bound, depth - 1))
        elif function and name in _parameters(function):
            return
        elif values := list(_assigned(self.tree, name)):
            yield from (text for value in values for text in self.texts(value, None, {}, depth))
        elif name in self._imported and (module := self.library.module(self._imported[name][0])) and depth:
            yield from module._named(self._imported[name][1], None, {}, depth - 1)

    def _of_run(self, value: ast.expr, function: Function | None) -> bool:
        """Whether it is a name of the function's own, of which the sources may know some values but not all."""
        if not function or not isinstance(value, ast.Name):
            return False
        given = list(_assigned(function, value.id))
        known = len(given) == 1 and isinstance(given[0], ast.JoinedStr | ast.Constant)
        return value.id in _parameters(function) or bool(given and not known)

    def _of_mapping(self, name: str) -> Iterator[str]:
        for value in _assigned(self.tree, name):
            if isinstance(value, ast.Dict):
                yield from (text for each in value.values for text in self.texts(each, None, {}))

    def _returned(self, call: ast.Call, function: Function | None, bound: Bound, depth: int) -> Iterator[str]:
        found = self.defined(call)
        if found is None:
            return
        module, called = found
        names = _parameters(called)
        given = dict(zip(names, call.args, strict=False)) | {each.arg: each.value for each in call.keywords if each.arg}
        values = {name: self.texts(value, function, bound, depth) for name, value in given.items()}
        for node in ast.walk(called):
            if isinstance(node, ast.Return):
                yield from module.texts(node.value, called, values, depth)

    def defined(self, call: ast.Call) -> tuple["Module", Function] | None:
        """The function that a call is of, where it is one of ours, by a name that this module has for it."""
        match call.func:
            case ast.Name(id=name) | ast.Attribute(value=ast.Name(id="self"), attr=name) if name in self.functions:
                return self, self.functions[name]
            case ast.Name(id=name) if name in self._imported:
                base, original = self._imported[name]
                module = self.library.module(base)
            case ast.Attribute(value=ast.Name(id=owner), attr=original) if owner in self._imported:
                module = self.library.module(".".join(self._imported[owner]))
            case _:
                return None
        return (module, module.functions[original]) if module and original in module.functions else None


class Library:
    """Source files below some folders, which import each other."""

    def __init__(self, root: Path, *folders: str, without: str = "") -> None:
        self.modules: dict[str, Module] = {}
        for path in sorted(path for folder in folders for path in (root / folder).rglob("*.py")):
            if without and path.is_relative_to(root / without):
                continue
            name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
            self.modules[name] = Module(path, root, self)

    def module(self, name: str) -> Module | None:
        """The file that is imported by that name."""
        return self.modules.get(name)

    @property
    def calls(self) -> Iterator[Call]:
        """All calls in all of them."""
        return (call for module in self.modules.values() for call in module.calls)


def _one(alternatives: list[str]) -> str:
    return alternatives[0] if len(alternatives) == 1 else GAP


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _parameters(function: Function) -> list[str]:
    arguments = function.args
    names = [each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def _assigned(where: ast.Module | Function, name: str) -> Iterator[ast.expr]:
    nodes = where.body if isinstance(where, ast.Module) else ast.walk(where)
    for node in nodes:
        if isinstance(node, ast.AnnAssign) and _name(node.target) == name and node.value:
            yield node.value
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            yield from _of_target(node.targets[0], node.value, name)


def _of_target(target: ast.expr, value: ast.expr, name: str) -> Iterator[ast.expr]:
    if isinstance(target, ast.Name) and target.id == name:
        yield value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for part, given in zip(target.elts, value.elts, strict=False):
            yield from _of_target(part, given, name)


def _calls(module: Module, node: ast.AST, function: Function | None, owner: str) -> Iterator[Call]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            yield Call(module, child, function, owner)
        inner = child if isinstance(child, Function) else function
        yield from _calls(module, child, inner, child.name if isinstance(child, ast.ClassDef) else owner)
