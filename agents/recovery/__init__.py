"""The recovery kit of a machine: what it takes to get its backups back without portal, database and edge."""
