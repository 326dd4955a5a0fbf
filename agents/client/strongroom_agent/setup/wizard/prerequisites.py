"""The step *Prerequisites*: what must be in order on this machine, looked at live."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path

from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.sizes import counted, readable
from strongroom_agent.core.step_names import CACHE, PORTAL, PROGRAM, PROTECTED
from strongroom_agent.portal import pinned_root
from strongroom_agent.restic import engine
from strongroom_agent.setup import cache_folder, reach

from .asking import Lines, Question
from .draft import Draft
from .steps import Change, Item, Step

STEP = Step(
    3,
    "Prerequisites",
    "What must be in order on this machine, looked at now. "
    "What is wrong is named with its remedy, and can be looked at again.",
)
_NAMED = 3


@dataclass(frozen=True)
class Check:
    """Something to look at: `look` says what was found, or raises AgentError. It is done once for what it `depends` on;
    `change` names the answer that may have to be another one."""

    title: str
    look: Callable[[Draft], str]
    depends: Callable[[Draft], Hashable]
    change: str = ""
    ready: Callable[[Draft], bool] = lambda draft: True


def _engine(_draft: Draft) -> str:
    found = engine.find()
    more = "" if found.recent else f"; it makes backups, but cannot repair them. {engine.how_to_get_recent()}"
    return f"restic {found.version}, {found.program}{more}"


def _rights(draft: Draft) -> str:
    extent = draft.extent()
    all_of_it = f"{counted(extent.files, 'file')}, {readable(extent.bytes)}"
    if not extent.unreadable:
        return all_of_it
    named = ", ".join(extent.unreadable[:_NAMED]) + (", …" if len(extent.unreadable) > _NAMED else "")
    return (
        f"{all_of_it}; {counted(len(extent.unreadable), 'item')} of that this user may not read, so that backups will "
        f"lack them: {named}. To have them too, run setup as root (sudo)."
    )


def _room(draft: Draft) -> str:
    extent = draft.extent()
    free = cache_folder.check(Path(draft.options.cache_dir), extent)
    needed = cache_folder.share_of(extent.bytes)
    return f"{readable(free)} free, {readable(needed)} needed for {readable(extent.bytes)}"


def _portal(draft: Draft) -> str:
    proxy = draft.options.proxy_url
    if offered := draft.options.offered:
        edge_url, roots = offered.edge_url, pinned_root.fetch(offered.edge_url, offered.ca_sha256, proxy)
    else:
        edge_url, roots = draft.credential.edge_url, draft.credential.ca_certificates
    reach.check(edge_url, roots, proxy)
    by = f" through {draft.options.proxy}" if draft.options.proxy else ""
    return f"{edge_url} answers{by}, and the clocks agree"


def _about_portal(draft: Draft) -> Hashable:
    options = draft.options
    vault = (options.edge, options.ca_sha256) if options.code else (options.credentials,)
    return *vault, options.proxy, options.proxy_user, options.proxy_password


def _about_files(draft: Draft) -> Hashable:
    return (*draft.options.protect, draft.options.cache_dir, draft.options.include_network)


CHECKS = (
    Check(PROGRAM, _engine, lambda draft: ""),
    Check(PROTECTED, _rights, _about_files, "protect"),
    Check(CACHE, _room, _about_files, "cache_dir"),
    Check(PORTAL, _portal, _about_portal, "proxy", lambda draft: draft.knows_portal),
)


class Prerequisites(Item):
    """Goes on by itself when all is in order; else a person mends it and looks again, or changes an answer.

    It stands twice in the wizard: the portal is known only once the vault is.
    """

    step = STEP

    def due(self, draft: Draft) -> bool:
        """Whether something was not looked at yet, as things are now."""
        return any(check.ready(draft) and not _passed(draft, check) for check in CHECKS)

    def run(self, draft: Draft, lines: Lines) -> tuple[Draft, bool]:
        """Look until all is in order."""
        asked = False
        while failed := _look(draft, lines):
            asked = True
            _ask(failed, lines)
        if "credentials" not in draft.answered | draft.given:
            lines.say("  (the portal is looked at once the vault is known)")
        return draft, asked


def _key(draft: Draft, check: Check) -> Hashable:
    return "passed", check.title, check.depends(draft)


def _passed(draft: Draft, check: Check) -> bool:
    return _key(draft, check) in draft.found


def _look(draft: Draft, lines: Lines) -> list[Check]:
    """Show each as it is found. Those that failed."""
    failed = []
    for check in CHECKS:
        if _passed(draft, check) or not check.ready(draft):
            continue
        try:
            said = check.look(draft)
        except AgentError as error:
            lines.say(f"{lines.cross} {check.title}: {error.problem} {error.remedy}".rstrip(), "  ")
            failed.append(check)
            continue
        draft.found[_key(draft, check)] = said
        lines.say(f"{lines.tick} {check.title}: {said}", "  ")
    return failed


def _ask(failed: list[Check], lines: Lines) -> None:
    """Until somebody presses Enter; Change for another answer."""
    numbered = {str(number): check for number, check in enumerate((each for each in failed if each.change), 1)}
    offers = [f"{number} changes the answer about: {check.title}" for number, check in numbered.items()]
    answer = lines.ask(
        Question("\n".join(["Mend what is wrong, then check again.", *offers]), hint="Enter checks again")
    )
    if answer in numbered:
        raise Change(numbered[answer].change)
