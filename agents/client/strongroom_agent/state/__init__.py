"""What this machine remembers: identity, settings, passphrase, its last snapshot."""
