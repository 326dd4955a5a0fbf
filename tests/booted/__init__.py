"""A trial by hand: a booted Debian root whose own timer makes a backup. Needs root, systemd-nspawn, a portal."""
