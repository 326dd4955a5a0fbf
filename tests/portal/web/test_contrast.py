"""The colours of `static/css/tokens.css`: text can be read on what it is used on, in both themes (WCAG AA)."""

import re
from pathlib import Path

import pytest
from django.conf import settings

TOKENS = (Path(settings.BASE_DIR) / "static/css/tokens.css").read_text()
PAIR = re.compile(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)")
PAIRS = {name: (light, dark) for name, light, dark in PAIR.findall(TOKENS)}
SURFACES = ["page", "surface", "surface-raised", "surface-sunken"]
TEXTS = ["text", "text-muted", "accent", "green", "amber", "red", "grey"]
ON = [(text, surface) for text in TEXTS for surface in SURFACES] + [
    *[(colour, f"{colour}-soft") for colour in ("blue", "green", "amber", "red", "grey", "accent")],
    *[("text", f"{colour}-soft") for colour in ("blue", "green", "amber", "red")],
    ("on-accent", "accent"),
    ("on-accent", "accent-hover"),
    ("on-green", "green"),
    ("on-red", "red"),
    ("on-red", "red-hover"),
    ("text-muted", "accent-wash"),
    ("accent", "accent-wash"),
]


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    low, high = sorted([_luminance(one), _luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "surface"), ON)
def test_text_can_be_read(text: str, surface: str, theme: int) -> None:
    assert _contrast(PAIRS[text][theme], PAIRS[surface][theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("surface", SURFACES)
def test_edges_of_fields_can_be_seen(surface: str, theme: int) -> None:
    assert _contrast(PAIRS["border-strong"][theme], PAIRS[surface][theme]) >= 3
