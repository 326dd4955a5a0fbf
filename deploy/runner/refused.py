"""The one exception with which a start ends early."""


class Refused(Exception):
    """The start cannot go on; the text is one line that says why and what to do."""
