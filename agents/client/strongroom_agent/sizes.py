"""Numbers of bytes for people."""


def readable(size: int) -> str:
    """A number of bytes in the largest unit that fits, for example `1.5 GiB`."""
    if size < 1024:
        return f"{size} B"
    amount = float(size)
    for unit in ("KiB", "MiB", "GiB"):
        amount /= 1024
        if amount < 1024:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1024:.1f} TiB"
