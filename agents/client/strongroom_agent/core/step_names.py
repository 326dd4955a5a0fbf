"""What the steps between a machine and its backup are called: by `doctor`, by the wizard, and on the portal's pages."""

GET, REGISTER, FIRST_BACKUP, RESTORE_CHECK = "Get the agent", "Register your machine", "First backup", "Restore check"
STATE, PROTECTED, CACHE, SCHEDULE = "State folder", "Protected folders", "Cache folder", "Schedule"
RESOLUTION, CONNECTION, ENCRYPTION, CLOCK = "Name resolution", "Connection", "Encrypted connection", "Clock"
PROGRAM, PROXY, PORTAL, STORAGE = "Backup program", "Proxy configuration", "Portal", "Storage"

TOLD = {
    "program": PROGRAM,
    "protected": PROTECTED,
    "cache": CACHE,
    "proxy": PROXY,
    "portal": PORTAL,
    "storage": STORAGE,
    "backup": FIRST_BACKUP,
    "restore": RESTORE_CHECK,
    "schedule": SCHEDULE,
}
"""Those that the portal is told of during setup, by their word in the messages, in order."""
