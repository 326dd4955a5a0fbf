"""The keys that agents believe updates by, and signing releases with them: `python -m deploy.update_key`.

It belongs on a computer that is not the portal, and needs nothing of it: no database, no data folder, no network.
docs/updating.md says how it is used.
"""
