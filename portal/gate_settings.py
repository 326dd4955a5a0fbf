"""Settings of the gate: the small process that answers the edge's questions about storage, and nothing else.

It reads. No page, session or template is loaded, and its connection to the database refuses to write, so that nothing
which holds up people or writers holds up machines that restore.
"""

from portal.settings import *  # noqa: F403
from portal.settings import DATABASES as _DATABASES

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "portal.apps.PortalModels",
    "portal.accounts",
    "portal.approvals",
    "portal.audit",
    "portal.notifications",
    "vaults.apps.VaultModels",
    "agents.apps.AgentModels",
]
MIDDLEWARE = []
TEMPLATES = []
ROOT_URLCONF = "agents.gate_urls"

PATIENCE = 5  # seconds for a query; the edge says "ask again" to whoever waits longer


def _reading(database: dict[str, object]) -> dict[str, object]:
    """The same database over a connection that only reads."""
    given = database.get("OPTIONS")
    options = dict(given) if isinstance(given, dict) else {}
    if database["ENGINE"] == "django.db.backends.sqlite3":
        options |= {"timeout": PATIENCE, "init_command": f"{options.get('init_command', '')} PRAGMA query_only=ON;"}
    else:
        reading = f"-c default_transaction_read_only=on -c statement_timeout={PATIENCE * 1000}"
        options["options"] = f"{options.get('options', '')} {reading}".strip()
        # The gate asks one question over six tables, again and again: planned once in each connection, not each time.
        options |= {"server_side_binding": True, "prepare_threshold": 1}
    # No question about the connection before each question: one that has died is told to the edge as "ask again", once.
    return {**database, "OPTIONS": options, "CONN_HEALTH_CHECKS": False}


DATABASES = {name: _reading(database) for name, database in _DATABASES.items()}
