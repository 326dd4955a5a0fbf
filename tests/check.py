"""`make check T=PLACE`: style, types and unit tests of one place, in seconds.

PLACE is a folder or file of the sources or of the tests, such as `vaults/requests`. `make test` stays what counts.
"""

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.suite import BIN, ROOT, run

CLIENT = Path("agents/client")


def main(places: Sequence[str]) -> int:
    """Check one place; 0 when all is green, 2 when there is no such place."""
    given = Path(places[0] if places else "")
    place = Path(given).resolve()
    if not places or not place.exists() or not place.is_relative_to(ROOT) or place == ROOT:
        sys.stderr.write(f"There is no place {given} here. For example:  make check T=vaults/requests\n")
        return 2
    source = place.relative_to(ROOT)
    tests = tests_of(source)
    both = [str(path) for path in dict.fromkeys((source, *tests))]
    style = [[str(BIN / "ruff"), "check", *both], [str(BIN / "ruff"), "format", "--check", *both]]
    with ThreadPoolExecutor(1) as pool:
        typed = pool.submit(run, [str(BIN / "mypy"), *both])
        green = [run(command) for command in style]
        if tests:
            green.append(run([sys.executable, "-m", "pytest", "-q", "-m", "not system", *map(str, tests)]))
        green.append(typed.result())
    return 0 if all(green) else 1


def tests_of(source: Path) -> list[Path]:
    """The folder or file with the unit tests of a place: the nearest one that has its name."""
    if source.parts[0] == "tests":
        return [source]
    inside = Path("client") if source.is_relative_to(CLIENT) else source
    for name in (inside, *inside.parents):
        found = Path("tests") / name.parent / f"test_{name.stem}.py" if name.suffix == ".py" else Path("tests") / name
        if name.parts and (ROOT / found).exists():
            return [found]
    return []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
