"""The damage suite: what says which packs and snapshots there are."""

from collections.abc import Iterator

import pytest

from .authority import Authority
from .conftest import Storage
from .damages import Prepared, cases, no_run_says_more_than_is_true, prepared


@pytest.fixture(scope="module")
def machine(authority: Authority, tmp_path_factory: pytest.TempPathFactory, storage: Storage) -> Iterator[Prepared]:
    """One machine for all cases here."""
    with prepared(authority, tmp_path_factory.mktemp("damaged"), storage) as made:
        yield made


@pytest.mark.system
@cases("index", "snapshots")
def test_no_run_says_more_than_is_true(machine: Prepared, kind: str, how: str, place: str, command: str) -> None:
    no_run_says_more_than_is_true(machine, kind, how, place, command)
