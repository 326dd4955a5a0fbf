"""Answers to setup from other places than the command line: a file, and the environment.

Each flag of `setup` has one key in the file and one variable, made from its name. A flag counts before the file, the
file before the environment.
"""

import argparse
import difflib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from strongroom_agent.core.errors import AgentError, usage, why
from strongroom_agent.core.output import printable

PREFIX = "STRONGROOM_SETUP_"
_LIMIT = 64 * 1024
_WORDS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
# Of these the first place counts alone that gives any: a password must not go to another place's proxy.
_TOGETHER = (
    ("proxy", "proxy_user", "proxy_password_file"),
    ("passphrase_file", "generate_passphrase", "save_passphrase_to"),
)


@dataclass(frozen=True)
class Flag:
    """A flag of `setup`: its name without dashes before it, and what it takes."""

    name: str
    takes_nothing: bool
    repeatable: bool

    @property
    def dest(self) -> str:
        """Its name among the parsed arguments."""
        return self.name.replace("-", "_")

    @property
    def variable(self) -> str:
        """Its variable in the environment."""
        return PREFIX + self.dest.upper()


def flags(actions: Iterable[argparse.Action]) -> list[Flag]:
    """The flags that can be answered elsewhere: all of a parser but those that are about the output."""
    return [
        Flag(option.removeprefix("--"), action.nargs == 0, isinstance(action, argparse._AppendAction))
        for action in actions
        for option in action.option_strings
        if option.startswith("--") and option not in ("--help", "--json")
    ]


def merge(given: argparse.Namespace, known: list[Flag], environ: Mapping[str, str], separator: str) -> None:
    """Fill in what the command line left open. AgentError `usage` for what cannot be an answer, with its place."""
    surroundings = _of_environment(known, environ, separator)
    if given.answers is None:
        given.answers = surroundings.get("answers")
    places = [{flag.dest: getattr(given, flag.dest) for flag in known}, surroundings]
    if given.answers:
        places.insert(1, _of_file(Path(given.answers), [flag for flag in known if flag.name != "answers"]))
    for flag in known:
        setattr(given, flag.dest, next((each[flag.dest] for each in places if each.get(flag.dest) is not None), None))
    for names in _TOGETHER:
        first = next((place for place in places if any(place.get(name) is not None for name in names)), {})
        for name in names:
            setattr(given, name, first.get(name))


def _of_environment(known: list[Flag], environ: Mapping[str, str], separator: str) -> dict[str, object]:
    """An empty variable is none; what is repeatable stands in one variable as in PATH."""
    variables = [flag.variable for flag in known]
    wrong = sorted(each for each in environ if each.startswith(PREFIX) and each not in variables)
    if wrong:
        raise _unknown("The environment has an unknown variable", wrong[0], variables)
    found: dict[str, object] = {}
    for flag in known:
        if text := environ.get(flag.variable, "").strip():
            many = [each for each in text.split(separator) if each] if flag.repeatable else text
            found[flag.dest] = _value(flag, many, flag.variable)
    return found


def _of_file(path: Path, known: list[Flag]) -> dict[str, object]:
    content = _parsed(path)
    if not isinstance(content, dict):
        raise usage(
            f"{path} holds no answers.", "Write one `flag: value` on each line, such as `cache-dir: /var/cache/x`."
        )
    by_name = {flag.name: flag for flag in known}
    for name in content:
        if name not in by_name:
            raise _unknown(f"{path} has an unknown answer", str(name), list(by_name))
    return {by_name[name].dest: _value(by_name[name], value, f"{name} in {path}") for name, value in content.items()}


def _parsed(path: Path) -> object:
    """What the file holds, all of it as plain texts: no value can become an object, a date or a number."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        with path.open("rb") as file:
            content = file.read(_LIMIT + 1)
        if len(content) > _LIMIT:
            raise usage(f"The file with answers {path} is too large to be one.")
        return YAML(typ="base", pure=True).load(io.StringIO(content.decode("utf-8-sig")))
    except OSError as error:
        raise usage(f"The file with answers {path} cannot be read: {why(error)}.", "Give --answers a file.") from error
    except AgentError:
        raise
    except RecursionError as error:
        raise usage(f"The file with answers {path} is nested too deeply.") from error
    except (YAMLError, ValueError) as error:
        trouble = " ".join(str(getattr(error, "problem", None) or "it is not text").split())
        mark = getattr(error, "problem_mark", None)
        at = f" in line {mark.line + 1}" if mark else ""
        raise usage(f"The file with answers {path} is not YAML: {printable(trouble)}{at}.") from error


def _value(flag: Flag, value: object, where: str) -> object:
    """The answer in the type that the flag has."""
    if flag.takes_nothing:
        if not isinstance(value, str) or value.strip().casefold() not in _WORDS:
            raise usage(f"{where} is neither yes nor no.", "Write yes or no.")
        return _WORDS[value.strip().casefold()] or None
    if flag.repeatable:
        value = [value] if isinstance(value, str) else value
        if (
            not isinstance(value, list)
            or not value
            or not all(isinstance(each, str) and each.strip() for each in value)
        ):
            raise usage(f"{where} is not a list of texts.", "Write one below the other, each after a dash.")
        return value
    if not isinstance(value, str):
        raise usage(f"{where} is not a text.", "Write one value.")
    if not value.strip():
        raise usage(f"{where} is empty.", "Give a value, or leave it out.")
    return value


def _unknown(what: str, name: str, known: list[str]) -> AgentError:
    near = difflib.get_close_matches(name, known, 1, 0.5)
    meant = f" Did you mean {near[0]}?" if near else ""
    return usage(f"{what}: {printable(name)}.{meant}", f"There are: {', '.join(known)}.")
