"""The append-only log: written by `record`, moved through by `transitions`, shown by the rest."""
