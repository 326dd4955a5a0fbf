"""When backups are made by themselves: the calendar, the system's own schedulers, and what is due in a run of theirs."""
