"""The colours of charts are told apart by eyes of every kind, and stand out from the ground."""

import re
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from django.conf import settings

TOKENS = Path(settings.BASE_DIR) / "aggregates/static/aggregates/css/tokens.css"
GROUPS = [*(f"series-{number}" for number in range(1, 9)), "other"]
LEAST_DIFFERENCE = 14  # CIE76 delta E
LEAST_STEP = 5.5  # between shades of a group
LEAST_CONTRAST = {"light": 2.2, "dark": 3.0}  # WCAG
TO_REST = 0.55  # as colours.js and charts.css have it

# Linear RGB as it is seen; Machado, Oliveira and Fernandes 2009, severity 1.0.
EYES = {
    "usual": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
WHITE = (0.95047, 1.0, 1.08883)
Triple = tuple[float, float, float]


def colours(scheme: str) -> dict[str, str]:
    light, dark = TOKENS.read_text().split("@media screen and (prefers-color-scheme: dark)")
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light if scheme == "light" else dark))


def times(matrix: tuple[Triple, ...], vector: Triple) -> Triple:
    first, second, third = (sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)
    return first, second, third


def linear(colour: str) -> Triple:
    parts = (int(colour[a:b], 16) / 255 for a, b in pairwise((1, 3, 5, 7)))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return red, green, blue


def lab(rgb: Triple) -> Triple:
    red, green, blue = (min(1.0, max(0.0, part)) for part in rgb)
    ratios = (part / white for part, white in zip(times(XYZ, (red, green, blue)), WHITE, strict=True))
    x, y, z = (ratio ** (1 / 3) if ratio > 216 / 24389 else (24389 / 27 * ratio + 16) / 116 for ratio in ratios)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def difference(eye: str, one: str, other: str) -> float:
    seen = [lab(times(EYES[eye], linear(colour))) for colour in (one, other)]
    return sum((a - b) ** 2 for a, b in zip(*seen, strict=True)) ** 0.5


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted(times(XYZ, linear(colour))[1] for colour in (one, other))
    return (lighter + 0.05) / (darker + 0.05)


def test_difference_and_contrast_are_as_defined() -> None:
    assert difference("usual", "#000000", "#ffffff") == pytest.approx(100, abs=0.01)
    assert difference("usual", "#ff0000", "#00ff00") == pytest.approx(170.6, abs=0.1)
    assert difference("protanopia", "#767676", "#767676") == 0
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("scheme", LEAST_CONTRAST)
def test_groups_are_told_apart(scheme: str, eye: str) -> None:
    found = colours(scheme)
    close = {
        (one, other): amount
        for one, other in combinations(GROUPS, 2)
        if (amount := difference(eye, found[one], found[other])) < LEAST_DIFFERENCE
    }

    assert close == {}


@pytest.mark.parametrize(("scheme", "least"), LEAST_CONTRAST.items())
def test_groups_stand_out_from_the_ground(scheme: str, least: float) -> None:
    found = colours(scheme)
    pale = {name: ratio for name in GROUPS if (ratio := contrast(found[name], found["surface"])) < least}

    assert pale == {}


def mixed(one: str, other: str, share: float) -> str:
    """As scripts and style sheets make shades."""
    parts = ([int(colour[place : place + 2], 16) for place in (1, 3, 5)] for colour in (one, other))
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(*parts, strict=True))


def shades(found: dict[str, str], number: int) -> list[str]:
    own, end = found[f"series-{number}"], found[f"shade-{number}"]
    return [*(mixed(own, end, step / 3) for step in range(4)), mixed(own, found["other"], TO_REST)]


@pytest.mark.parametrize(("scheme", "least"), LEAST_CONTRAST.items())
def test_shades_are_told_apart_and_stand_out_from_the_ground(scheme: str, least: float) -> None:
    found = colours(scheme)
    for number in range(1, 9):
        own = shades(found, number)
        assert min(contrast(shade, found["surface"]) for shade in own) >= least, number
        for eye in EYES:
            assert min(difference(eye, one, other) for one, other in combinations(own, 2)) >= LEAST_STEP, (eye, number)
            assert difference(eye, own[-1], found["other"]) >= LEAST_STEP, (eye, number)


def test_scripts_and_style_sheets_mix_the_same_shades() -> None:
    static = Path(settings.BASE_DIR) / "aggregates/static/aggregates"
    script, style = (static / "js/colours.js").read_text(), (static / "css/charts.css").read_text()
    assert f"const REST = {TO_REST};" in script
    assert f"var(--other) {TO_REST:.0%}, var(--colour)" in style
    assert re.findall(r"shade-([12]) {[^}]*var\(--end\) ([0-9.]+)%", style) == [("1", "33.3"), ("2", "66.7")]
