"""The installers of `make windows-agents` as far as wine shows it: `make test-windows` runs in_wine.py, no other suite
does. Their interpreter and their restic are made for these tests alone."""
