"""Texts that people and machines give: which characters may be stored, and how those that may not are shown.

Control characters, line separators and direction marks make a text read otherwise than it is, on a page, in a log or in
a terminal. What people type is refused for them (`problem`); what must be written down as it came, such as the name of
a sign-in that failed, is written with them spelt out (`shown`); pages spell out what was stored before
(`portal.web.middleware.hidden_characters`).
"""

from unicodedata import category

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")  # part of Persian words and of emoji; never a word by themselves
_LINES = frozenset("\t\n\r")
# Letters and symbols by category, but empty to look at: fillers of Hangul and Khmer, a joiner of marks, empty Braille.
_EMPTY = frozenset("\u115f\u1160\u17b4\u17b5\u3164\uffa0\u034f\u2800")
_BREAKS = frozenset("\t\n\v\f\r\x85\u2028\u2029")


def is_hidden(letter: str, *, lines: bool = True) -> bool:
    """Whether the character is not shown, or changes how others are; with `lines` those that make lines are not."""
    if letter in _JOINERS:
        return not lines
    return category(letter) in _HIDDEN and not (lines and letter in _LINES)


def is_blank(text: str) -> bool:
    """Whether there is nothing to read: white space, zero-width characters, and marks with nothing to stand on."""
    return all(letter in _EMPTY or category(letter)[0] in "CZM" for letter in text)


def problem(text: str, *, required: bool = False, lines: bool = True, limit: int = 0) -> str:
    """Why the text cannot be stored, in a sentence for people; "" when it can.

    With `lines` it may have several of them; a name has one, and no joiners either.
    """
    if required and is_blank(text):
        return "This field is required."
    if limit and len(text) > limit:
        return f"Enter at most {limit} characters."
    for letter in text:
        if is_hidden(letter, lines=lines):
            return f"This contains an invisible character (U+{ord(letter):04X}). Remove it, or retype the text."
    return ""


def shown(text: str) -> str:
    """The text in one line, with what is hidden in it spelt out, as `[U+202E]`."""
    return "".join(_spelt(letter) if is_hidden(letter, lines=False) else letter for letter in text)


def without_hidden(text: str) -> str:
    """What somebody looks for: pasted texts bring zero-width spaces along, which nothing stored has."""
    return "".join(letter for letter in text if not is_hidden(letter, lines=False)).strip()


def visible(page: str) -> str:
    """A page with what is hidden in it spelt out; its line ends and joiners stay."""
    if page.replace("\n", "").replace("\xa0", "").isprintable():  # nearly always, and quick to see
        return page
    return "".join(_spelt(letter) if not letter.isprintable() and is_hidden(letter) else letter for letter in page)


def in_one_line(text: str) -> str:
    """The same length, with spaces for line ends and U+FFFD for what else is hidden.

    For what programs say: what failed is often told in several lines, which is no reason to lose it.
    """
    return "".join(_flat(letter) if is_hidden(letter, lines=False) else letter for letter in text)


def _flat(letter: str) -> str:
    return " " if letter in _BREAKS else "\ufffd"


def _spelt(letter: str) -> str:
    return f"[U+{ord(letter):04X}]"
