"""Building the agent's installers for Windows on Linux: `make windows-agents`.

In this order: inputs (interpreter and restic, by digest), folder (the program as one folder, with launchers that
launcher.c makes), exe and msi (the installers), signed (by a certificate, where one is given) and bill (what is in it).
"""
