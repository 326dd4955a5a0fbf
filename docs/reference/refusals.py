"""Every refusal in the sources: its code, how its message begins, what to do, and which file says it."""

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TypeVar

from docs.reference.sources import GAP, Call, Library

ROOT = Path(__file__).resolve().parents[2]
CLIENT = "agents/client"
BASE = "DomainError"
T = TypeVar("T")


@dataclass(frozen=True)
class Said:
    """One way in which a code is said. `status` is HTTP's; 0 where the agent says it."""

    code: str
    message: str
    remedies: tuple[str, ...]
    file: str
    status: int = 0


@dataclass(frozen=True)
class Maker:
    """What makes a refusal when it is called: where its arguments stand. A negative place is known by name alone."""

    codes: tuple[str, ...]  # empty: the code is an argument
    message: int
    remedy: int
    code: int = -1
    status: int = 0
    message_name: str = "message"


AGENT: Mapping[str, Maker] = {
    "AgentError": Maker((), 1, 2, code=0, message_name="problem"),
    "Refused": Maker((), 1, 2, code=0, message_name="detail"),
    "usage": Maker(("usage",), 0, 1, message_name="problem"),
    "Done": Maker(("done",), 0, 2, code=1),
}


@cache
def of_agent(root: Path = ROOT) -> list[Said]:
    """All that the agent says itself. Of runs that went well only the code is given: each says what it did."""
    library = Library(root / CLIENT, "strongroom_agent")
    found = [*_said(library, AGENT, root), *_properties(library, root)]
    return _once([replace(each, message="") if each.code.startswith("done") else each for each in found])


@cache
def of_portal(root: Path = ROOT) -> list[Said]:
    """All that the portal says, on pages, by its API and to machines."""
    library = Library(root, "portal", "vaults", "agents", without=CLIENT)
    kinds = kinds_of_portal(library)
    makers = {
        name: Maker((kind.code,), kind.message, -1, status=kind.status)
        for name, kind in kinds.items()
        if kind.message is not None
    }
    found = list(_said(library, makers, root))
    for kind in kinds.values():
        for code in kind.codes or (kind.code,):
            found.append(Said(code, kind.default, (), kind.file, kind.status))
    return _once(found)


@dataclass(frozen=True)
class Kind:
    """A class of refusals. `message`: the place of what it says among its arguments; None when it isn't one of them."""

    code: str
    codes: tuple[str, ...]
    status: int
    about: str  # empty where it only inherits its code
    message: int | None
    default: str
    file: str


def kinds_of_portal(library: Library) -> dict[str, Kind]:
    """The classes of refusals, by name: those that descend from the first one, wherever they stand."""
    classes = {
        node.name: (node, str(module.path.relative_to(module.root)))
        for module in library.modules.values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
    }

    def bases_of(name: str) -> list[str]:
        return [base.id for base in classes[name][0].bases if isinstance(base, ast.Name) and base.id in classes]

    def inherited(name: str, look: Callable[[ast.ClassDef], T | None]) -> T | None:
        found = look(classes[name][0])
        return found if found is not None or not bases_of(name) else inherited(bases_of(name)[0], look)

    def descends(name: str) -> bool:
        return name == BASE or any(descends(base) for base in bases_of(name))

    found = {}
    for name, (node, file) in classes.items():
        if descends(name):
            codes, status = inherited(name, _attribute("codes")), inherited(name, _attribute("status"))
            place, default = inherited(name, _message) or (None, "")
            found[name] = Kind(
                str(inherited(name, _attribute("code"))),
                tuple(map(str, codes)) if isinstance(codes, tuple) else (),
                status if isinstance(status, int) else 0,
                _about(node) if _attribute("code")(node) else "",
                place,
                default,
                file,
            )
    return found


def _about(node: ast.ClassDef) -> str:
    return (ast.get_docstring(node) or "").split("\n\n")[0].replace("\n", " ")


def _attribute(wanted: str) -> Callable[[ast.ClassDef], object]:
    """Looks for what a class says of itself."""

    def look(node: ast.ClassDef) -> object:
        for line in node.body:
            target = line.targets[0] if isinstance(line, ast.Assign) else getattr(line, "target", None)
            value = getattr(line, "value", None)
            if isinstance(target, ast.Name) and target.id == wanted and value is not None:
                return ast.literal_eval(value)
        return None

    return look


def _message(node: ast.ClassDef) -> tuple[int | None, str] | None:
    """Where its message stands among the arguments, and what it is unless given; None when its base decides that."""
    for function in node.body:
        if isinstance(function, ast.FunctionDef) and function.name == "__init__":
            names = [each.arg for each in function.args.args[1:]]
            given = dict(zip(reversed(names), reversed(function.args.defaults), strict=False)).get("message")
            default = str(given.value) if isinstance(given, ast.Constant) else ""
            return (names.index("message") if "message" in names else None), default
    return None


def _said(library: Library, makers: Mapping[str, Maker], root: Path) -> Iterator[Said]:
    """What calls of the makers say; a function whose parameter is the message is a maker as well."""
    known, fresh = dict(makers), dict(makers)
    calls = list(library.calls)
    while fresh:
        more: dict[str, Maker] = {}
        for call in calls:
            maker = fresh.get(call.name) or _of_super(call, fresh)
            if maker is None:
                continue
            codes = _codes(call, maker)
            yield from _each(call, maker, codes, root)
            passed = call.argument(maker.message, maker.message_name)
            if codes and call.function and isinstance(passed, ast.Name) and passed.id in call.parameters:
                more[call.function.name] = _passing_on(call, maker, codes, passed.id)
        fresh = {name: maker for name, maker in more.items() if name not in known and not name.startswith("__")}
        known |= fresh


def _of_super(call: Call, makers: Mapping[str, Maker]) -> Maker | None:
    """`super().__init__("…")` in the class of a refusal."""
    match call.node.func:
        case ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr="__init__"):
            return makers.get(call.owner)
    return None


def _passing_on(call: Call, maker: Maker, codes: tuple[str, ...], message: str) -> Maker:
    names = call.parameters
    remedy = call.argument(maker.remedy, "remedy")
    place = names.index(remedy.id) if isinstance(remedy, ast.Name) and remedy.id in names else -1
    return Maker(codes, names.index(message), place, status=maker.status, message_name=message)


def _codes(call: Call, maker: Maker) -> tuple[str, ...]:
    named = call.texts(call.argument(maker.code, "code"))
    return tuple(code for code in named if code and GAP not in code) or maker.codes


def _each(call: Call, maker: Maker, codes: tuple[str, ...], root: Path) -> Iterator[Said]:
    messages = call.texts(call.argument(maker.message, maker.message_name)) or [""]
    remedies = tuple(filter(None, call.texts(call.argument(maker.remedy, "remedy"))))
    file = str(call.module.path.relative_to(root))
    for code in codes:
        for message in messages:
            yield Said(code, message, remedies, file, maker.status)


def _properties(library: Library, root: Path) -> Iterator[Said]:
    """Codes that a property `code` returns: those of results, which are no refusals."""
    for module in library.modules.values():
        function = module.functions.get("code")
        for node in ast.walk(function) if function else ():
            if isinstance(node, ast.Return):
                for code in module.texts(node.value, function, {}):
                    yield Said(code, "", (), str(module.path.relative_to(root)))


def _once(found: list[Said]) -> list[Said]:
    """Each once, in order; those that say nothing only where the code has no others."""
    saying = {each.code for each in found if _says(each)}
    kept = [each for each in found if _says(each) or each.code not in saying]
    return sorted(set(kept), key=lambda each: (each.code, each.file, each.message, each.remedies))


def _says(each: Said) -> bool:
    return any(letter.isalpha() for letter in each.message)
