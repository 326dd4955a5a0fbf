"""When backups are made by themselves: the calendar, the schedulers of the system, and what is due in a run."""
