"""The audit page: beside the bare view, and flat from a small log to a large one."""

from collections.abc import Iterator, Mapping

from bench.client import Ask
from bench.handles import Handles
from bench.items.lists import bare_table, signed_in
from bench.rounds import cpu_medians, load
from bench.stage import Stage
from bench.table import Figure, Limit, Row

BESIDE_BARE = Limit(1.5)
FLAT = Limit(1.15)


def rows(stage: Stage) -> Iterator[Row]:
    """First and deepest page, with and without filters, on the large log; the first page on the small one."""
    large, small, sizes = stage.large, stage.small, stage.sizes
    pages = _pages(large.known)
    few = load(small.site, signed_in(small.known.auditor, "/audit/", "</table>"))
    ours = [load(large.site, ask) for ask in pages.values()]
    bare, little, *cpus = cpu_medians([bare_table(stage), few, *ours], sizes.rounds, sizes.requests)
    size = f"{sizes.audit_entries:,} entries"
    for what, cpu in zip(pages, cpus, strict=True):
        yield Row(f"audit page, {what}, CPU", Figure(cpu), Figure(bare, of="bare view"), BESIDE_BARE, size)
    for what, cpu in zip(pages, cpus, strict=True):
        yardstick = Figure(little, of=f"first page of {sizes.few_audit_entries:,}")
        yield Row(f"audit page, {what}, flat", Figure(cpu), yardstick, FLAT, size)


def _pages(known: Handles) -> Mapping[str, Ask]:
    chosen = {"person": known.audit_person, "action": known.audit_action}

    def page(contains: str = "</table>", **query: object) -> Ask:
        return signed_in(known.auditor, "/audit/", contains, **query)

    return {
        "first": page(),
        "deepest": page(after=known.audit_last_page),
        "person": page(known.audit_person, person=known.audit_person),
        "person and action": page(known.audit_action, **chosen),
        "person and action, deepest": page(known.audit_action, **chosen, after=known.audit_last_page_filtered),
        "refused": page(refused="1"),
    }
