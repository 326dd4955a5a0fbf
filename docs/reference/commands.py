"""The page of all commands and flags of the agent, made from its own command line."""

import argparse
import re
from collections.abc import Iterator

from strongroom_agent.cli.arguments import build

HEAD = """# Commands of the agent

<!-- Made from the code by `make docs`. Change nothing here. -->

Every command and every flag of `strongroom-agent`, as its own `--help` has them. What they are for is in
[the agent's README](../agents/client/README.md), what their answers mean under [codes](codes.md).
"""
OF_PYTHON: dict[type[argparse.Action], str] = {
    argparse._HelpAction: "show what there is, and end",
    argparse._VersionAction: "show the version, and end",
}
"""What every program has, in words that are the same with every Python."""


def page() -> str:
    """The whole page, in Markdown."""
    return "\n".join([HEAD, *_of(build())])


def commands() -> dict[str, argparse.ArgumentParser]:
    """All commands, those of commands too, by what one types; the program itself first."""
    found: dict[str, argparse.ArgumentParser] = {}

    def walk(parser: argparse.ArgumentParser) -> None:
        found[parser.prog] = parser
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                for each in dict.fromkeys(action.choices.values()):
                    walk(each)

    walk(build())
    return found


def _of(program: argparse.ArgumentParser) -> Iterator[str]:
    yield f"{_sentence(program.description)}\n\n{_sentence(program.epilog)}\n"
    for name, parser in commands().items():
        yield f"## `{name}`\n"
        if parser.description and name != program.prog:
            yield f"{_sentence(parser.description)}\n"
        rows = [_row(action, parser) for action in parser._actions if _is_shown(action)]
        yield "\n".join(["| flag | default | meaning |", "|---|---|---|", *rows, ""])


def _is_shown(action: argparse.Action) -> bool:
    return action.help != argparse.SUPPRESS and not isinstance(action, argparse._SubParsersAction)


def _row(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    meaning = OF_PYTHON.get(type(action)) or _meaning(action, parser)
    return f"| {_escaped(_names(action))} | {_default(action)} | {_cell(meaning)} |"


def _names(action: argparse.Action) -> str:
    value = _value(action)
    names = action.option_strings or [value]
    return ", ".join(f"`{name} {value}`" if value and action.option_strings else f"`{name}`" for name in names)


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    if action.choices is not None and action.metavar is None:
        return "|".join(map(str, action.choices))
    name = action.metavar or (action.dest.upper() if action.option_strings else action.dest)
    return name if isinstance(name, str) else " ".join(name)


def _default(action: argparse.Action) -> str:
    if action.required:
        return "must be given"
    if action.nargs == 0 or action.default in (None, "", [], argparse.SUPPRESS):
        return ""
    return f"`{action.default}`"


def _meaning(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    known = {"prog": parser.prog, "default": action.default, "metavar": action.metavar}
    parts = [(action.help or "") % known]
    if isinstance(action, argparse._AppendAction):
        parts.append("can be given several times")
    if others := _instead(action, parser):
        parts.append(f"not together with {', '.join(others)}")
    return "; ".join(filter(None, parts))


def _instead(action: argparse.Action, parser: argparse.ArgumentParser) -> list[str]:
    groups = [group for group in parser._mutually_exclusive_groups if action in group._group_actions]
    return [f"`{other.option_strings[0]}`" for group in groups for other in group._group_actions if other is not action]


def _sentence(text: str | None) -> str:
    words = " ".join((text or "").replace("%%", "%").split())
    return words[:1].upper() + words[1:].rstrip(".") + "." if words else ""


def _cell(text: str) -> str:
    flagged = re.sub(r"(?<![\w`-])(--[a-z][a-z-]*)(?![\w`])", r"`\1`", " ".join(text.split()))
    return _escaped(flagged).replace("<", "\\<").replace("*", "\\*")


def _escaped(text: str) -> str:
    """As a cell of a table takes it."""
    return text.replace("|", "\\|")
