"""Sizes that people type: `500 GiB`, `1.5 TiB`, or bytes as they are."""

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
MOST = 2**63 - 1
_SIZE = re.compile(r"(\d{1,19}(?:\.\d{1,9})?)\s*([kmgtp]?i?b?)", re.IGNORECASE | re.ASCII)


def read(text: str) -> int:
    """The number of bytes; `GB` is taken as `GiB`, as everywhere here. Raises ValueError."""
    found = _SIZE.fullmatch(text.strip().replace(",", ""))
    if found is None:
        raise ValueError(text)
    power = "bkmgtp".index((found[2] or "b")[0].lower())
    number = int(Decimal(found[1]) * 1024**power)
    if number > MOST:
        raise ValueError(text)
    return number


def write(number: int) -> str:
    """The number of bytes in the largest unit in which it is whole."""
    power = 0
    while number and number % 1024 == 0 and power < len(UNITS) - 1:
        number, power = number // 1024, power + 1
    return f"{number} {UNITS[power]}"


class SizeField(forms.CharField):
    """Bytes, with their unit."""

    def prepare_value(self, value: Any) -> Any:  # noqa: ANN401 - as Django's
        """What is stored, with its unit; what was typed, as it is."""
        return write(value) if isinstance(value, int) else value

    def clean(self, value: Any) -> int | None:  # noqa: ANN401 - as Django's
        """The number of bytes; None when nothing was typed."""
        text = super().clean(value)
        try:
            return read(text) if text else None
        except ValueError as error:
            raise ValidationError("Type a number with its unit, for example 500 GiB.") from error

    def has_changed(self, initial: Any, data: Any) -> bool:  # noqa: ANN401 - as Django's
        """Whether it is another number of bytes, however it is written."""
        try:
            return bool(self.clean(data) != initial)
        except ValidationError:
            return True
