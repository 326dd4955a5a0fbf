"""The damage suite: what says which packs and snapshots there are."""

import pytest

from .damages import cases, no_run_says_more_than_is_true
from .serving import Storage
from .world import World


@pytest.mark.system
@cases("index", "snapshots")
def test_no_run_says_more_than_is_true(
    machine: World, storage: Storage, kind: str, how: str, place: str, command: str
) -> None:
    no_run_says_more_than_is_true(machine, storage, kind, how, place, command)
