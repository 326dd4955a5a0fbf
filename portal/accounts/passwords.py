"""Passwords that are easy to guess, beyond what Django's validators find."""

import re

from django.core.exceptions import ValidationError

from portal.accounts.models import User

ENOUGH = 3
"""Of zxcvbn's scores from 0 to 4: at least a hundred million guesses by somebody who knows how people choose."""
LONGEST = 72
"""More characters are not looked at: zxcvbn takes long for them, and so much is enough."""
OURS = ("strongroom", "backup", "backups", "vault")
HELP = "At least 12 characters. Common passwords, patterns, digits alone, and your own names are not accepted."


class GuessableValidator:
    """Refuses common passwords and their usual changes, rows of keys, repetitions, dates, and the person's names."""

    def validate(self, password: str, user: User | None = None) -> None:
        """Raise ValidationError, with the reason, for a password that is guessed soon."""
        if not password:
            return  # too short, which another one says
        from zxcvbn import zxcvbn  # its lists of words take 15 MB, which only those who change passwords need

        found = zxcvbn(password[:LONGEST], user_inputs=[*OURS, *_names(user)])
        if found["score"] < ENOUGH:
            why = found["feedback"]["warning"] or "It consists of common words or patterns."
            raise ValidationError(
                f"This password is easy to guess. {why} Use several unrelated words.",
                code="password_guessable",
            )

    def get_help_text(self) -> str:
        """What forms say beforehand."""
        return HELP


def _names(user: User | None) -> list[str]:
    """What others know of the person, whole and in parts."""
    if user is None:
        return []
    known = [user.username, user.full_name, user.email]
    parts = [part for text in known for part in re.split(r"[\W_]+", text) if len(part) > 2]
    return [text.lower() for text in [*known, *parts] if text]
