"""Pages of one vault beside the bare view, and the others for information."""

from collections.abc import Iterator

from bench.items.lists import bare_table, signed_in
from bench.rounds import cpu_medians, load
from bench.stage import Stage
from bench.table import Figure, Limit, Row

BESIDE_BARE = Limit(1.3)


def rows(stage: Stage) -> Iterator[Row]:
    """The tabs of a vault with many machines."""
    known, sizes = stage.large.known, stage.sizes
    folder = f"/vaults/{known.vault}/"
    pages = {
        "vault page": ("", BESIDE_BARE),
        "Quick Start page": ("quick-start/", BESIDE_BARE),
        "Registered machines": ("machines/", None),
        "Configure": ("configure/", None),
        "Activity": ("activity/", None),
    }
    loads = [
        load(stage.large.site, signed_in(known.member, folder + path, known.vault_name)) for path, _ in pages.values()
    ]
    bare, *ours = cpu_medians([bare_table(stage), *loads], sizes.rounds, sizes.requests)
    for (what, (_, limit)), cpu in zip(pages.items(), ours, strict=True):
        yield Row(
            f"{what}, CPU", Figure(cpu), Figure(bare, of="bare view"), limit, f"{sizes.machines_in_vault} machines"
        )
