"""Building the agent's packages for Linux that need nothing of the machine: `make agents`.

In this order: pins (what is taken in, by digest), room (a bare Debian to compile in), compiled (interpreter and restic,
kept by the digest of all that they are made from), folder (the program as one folder), symbols (which systems it runs
on), packed (.deb, .rpm, archive) and bill (what is in it).
"""
