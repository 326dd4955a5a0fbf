"""The vault list: what a page of fifty costs beside a bare table, and whether it stays flat."""

from collections.abc import Iterator, Mapping
from urllib.parse import urlencode

from bench.client import Ask
from bench.rounds import Load, cpu_medians, load
from bench.stage import Estate, Stage
from bench.table import Figure, Limit, Row

BESIDE_BARE = Limit(1.5)
FLAT = Limit(1.15)
MEMBERS = ("member of 10 subscriptions", "member of all")
"""How the rows end whose yardstick is a member's first page; that of the others is an auditor's."""


def signed_in(cookie: str, path: str, contains: str = "", **query: object) -> Ask:
    """A page request of the person whose cookie it is."""
    return Ask(f"{path}?{urlencode(query)}" if query else path, headers={"Cookie": cookie}, contains=contains)


def bare_table(stage: Stage) -> Load:
    """The yardstick of most pages."""
    return load(stage.bare, signed_in(stage.large.known.member, "/table/", "</table>"))


def rows(stage: Stage) -> Iterator[Row]:
    """The list for three kinds of people beside the bare view, then its flatness.

    The yardstick of flatness is the first page of the whole list on the small estate, of the same person.
    """
    large, small, sizes = stage.large, stage.small, stage.sizes
    people = {
        "member of 10 subscriptions": large.known.member,
        "member of all": large.known.central,
        "auditor": large.known.auditor,  # the last one: flatness is theirs, where nothing else is said
    }
    loads = [
        bare_table(stage),
        *(load(large.site, signed_in(cookie, "/vaults/", "</table>")) for cookie in people.values()),
    ]
    variants = _variants(large)
    first_of_auditor = load(small.site, signed_in(small.known.auditor, "/vaults/", "</table>"))
    first_of_member = load(small.site, signed_in(small.known.central, "/vaults/", "</table>"))
    firsts = [first_of_auditor, first_of_member]
    medians = cpu_medians([*loads, *firsts, *variants.values()], sizes.rounds, sizes.requests)
    bare, *ours = medians[: len(loads)]
    size = f"{sizes.vaults:,} vaults, {sizes.subscriptions:,} subscriptions"
    for who, cpu in zip(people, ours, strict=True):
        yield Row(f"vault list, CPU, {who}", Figure(cpu), Figure(bare, of="bare view"), BESIDE_BARE, size)
    of = f"first page of {sizes.few_vaults:,}"
    of_auditor, of_member = (Figure(cpu, of=of) for cpu in medians[len(loads) : len(loads) + len(firsts)])
    flat = zip(("first page", *variants), (ours[-1], *medians[len(loads) + len(firsts) :]), strict=True)
    for what, cpu in flat:
        yardstick = of_member if what.endswith(MEMBERS) else of_auditor
        yield Row(f"vault list, {what}", Figure(cpu), yardstick, FLAT, size)


def _variants(large: Estate) -> Mapping[str, Load]:
    """Pages of the large list that must cost what the first page of a small one does."""
    known = large.known
    queries: dict[str, Ask] = {
        "deepest page": signed_in(known.auditor, "/vaults/", known.last_name, after=known.last_page),
        "deepest page, member of all": signed_in(known.central, "/vaults/", "</table>", after=known.central_last_page),
        "filter: Active": signed_in(known.auditor, "/vaults/", "</table>", show="active"),
        "filter: Active, deepest page": signed_in(
            known.auditor, "/vaults/", "</table>", show="active", after=known.last_page_active
        ),
        "filter: Needs attention": signed_in(known.auditor, "/vaults/", "</table>", show="attention"),
        "filter: Creating (none)": signed_in(known.auditor, "/vaults/", show="creating"),
        "filter: region": signed_in(known.auditor, "/vaults/", "</table>", region=known.region),
        "filter: Active, member of 10 subscriptions": signed_in(known.member, "/vaults/", "</table>", show="active"),
        "filter: part of a name": signed_in(known.auditor, "/vaults/", known.vault_name, q=known.word),
    }
    return {what: load(large.site, ask) for what, ask in queries.items()}
