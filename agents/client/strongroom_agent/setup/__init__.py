"""The command `setup`: from a credential file to a machine that is backed up and restored."""
