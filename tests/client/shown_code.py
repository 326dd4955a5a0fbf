"""A one-time code as the Quick Start page shows it, and the roots that its line names."""

from strongroom_agent.portal import pinned_root

from .authority import Authority

CODE = "7K3M-9QXT-2VFD"
PLAIN = CODE.replace("-", "")


def root_of(authority: Authority) -> str:
    """The digest of the authority's root, as the line has it."""
    return pinned_root.fingerprint(authority.root.certificate)
