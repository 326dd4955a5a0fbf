"""What apps above add to the pages of a vault."""

from collections.abc import Callable
from datetime import datetime

from portal.core.extensions import Extensions
from vaults.models import Vault

estates: Extensions[Callable[[Vault, datetime], object]] = Extensions()
"""How the machines of a vault are, for its Dashboard: given a vault that has some, and the time."""
