"""Back from the trash: a repository as of an earlier time, and single snapshots."""
