"""Every colour of the app, in one place: Okabe and Ito's palette, which colour-blind readers can tell apart.

Blue is the one accent. Colours are chosen to be read on a white page, on a dark page, and on a photograph
(where thin lines get a dark or white halo, see `picture.BoxGroup`).
"""

from __future__ import annotations

import re

from detector.tracing.filters import DetectionFate, ProposalFate

ACCENT = "#0072B2"
ORANGE = "#E69F00"
GREEN = "#009E73"
VERMILLION = "#D55E00"
SKY = "#56B4E9"
PURPLE = "#CC79A7"
YELLOW = "#F0E442"
VIOLET = "#8E6BBF"
GREY = "#8A8F98"

SELECTED = ORANGE
LOST = "#C0392B"
FOUND = GREEN
DETECTION = ACCENT
FALSE_POSITIVE = ORANGE
GROUND_TRUTH = "#FFFFFF"
DARK_HALO = "rgba(0,0,0,0.55)"
LIGHT_HALO = "rgba(255,255,255,0.75)"

_HEX = re.compile("#[0-9a-fA-F]{6}")
_RGBA = re.compile(r"rgba\((\d+),(\d+),(\d+),([\d.]+)\)")
_CATEGORIES = (ACCENT, ORANGE, GREEN, PURPLE, SKY, VERMILLION, VIOLET)
# Neither the blue of what was kept nor the orange of what is selected.
_LEVELS = (GREEN, PURPLE, SKY, VERMILLION, VIOLET)
_PROPOSAL_FATES = {
    ProposalFate.KEPT: ACCENT,
    ProposalFate.BELOW_TOP_N: GREY,
    ProposalFate.TOO_SMALL: YELLOW,
    ProposalFate.LOW_SCORE: SKY,
    ProposalFate.SUPPRESSED: VERMILLION,
    ProposalFate.OVER_LIMIT: GREEN,
}
_DETECTION_FATES = {
    DetectionFate.KEPT: ACCENT,
    DetectionFate.OTHER_CLASS: GREY,
    DetectionFate.TOO_SMALL: YELLOW,
    DetectionFate.LOW_SCORE: SKY,
    DetectionFate.SUPPRESSED: VERMILLION,
    DetectionFate.OVER_LIMIT: GREEN,
}


def fate_color(fate: ProposalFate | DetectionFate) -> str:
    """Colour of a fate, as `#RRGGBB`; the same fate has the same colour in both filters."""
    return _PROPOSAL_FATES[fate] if isinstance(fate, ProposalFate) else _DETECTION_FATES[fate]


def fate_words(fate: ProposalFate | DetectionFate) -> str:
    """The name of a fate for people, such as `below top-n`."""
    return fate.name.lower().replace("_", " ").replace("top n", "top-n")


def category_color(index: int) -> str:
    """Colour of a category or of an object, as `#RRGGBB`; repeats after seven."""
    return _CATEGORIES[index % len(_CATEGORIES)]


def level_color(level: int) -> str:
    """Colour of a pyramid level, as `#RRGGBB`, finest first; repeats after five."""
    return _LEVELS[level % len(_LEVELS)]


def with_alpha(color: str, alpha: float) -> str:
    """`#RRGGBB` as an `rgba()` string, for fills."""
    red, green, blue = (int(color[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"


def rgba(color: str) -> tuple[tuple[int, int, int], float]:
    """Red, green, blue (0 to 255) and opacity (0 to 1) of `#RRGGBB` or `rgba(r,g,b,a)`.

    Raises:
        ValueError: another way to write a colour.
    """
    match = _RGBA.fullmatch(color.replace(" ", ""))
    if match:
        red, green, blue, alpha = match.groups()
        return (int(red), int(green), int(blue)), float(alpha)
    if not _HEX.fullmatch(color):
        raise ValueError(f"the colour {color!r} is not understood; expected #RRGGBB or rgba(r,g,b,a)")
    return (int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)), 1.0


def text_on(color: str) -> str:
    """Black or white, whichever reads better on `color`."""
    (red, green, blue), _ = rgba(color)
    return "#111111" if 0.299 * red + 0.587 * green + 0.114 * blue > 150 else "#FFFFFF"
