"""One accent colour -> the colours of the light and the dark scheme. Floor: pure.

Whatever accent the operator chose, links and buttons reach a contrast of 4.5:1 (WCAG 2.2, 1.4.3) on every surface of
both schemes: the accent is darkened or lightened in small steps until they do.
"""

from __future__ import annotations

from colorsys import hls_to_rgb, rgb_to_hls
from dataclasses import dataclass, replace

CONTRAST = 4.5
_GLOW = 6.0  # in the dark scheme 4.5 is readable but dull
_STEPS = 50
_CALM = 0.5  # a colour far from the accent loses some of its saturation


@dataclass(frozen=True, slots=True)
class Scheme:
    """Colours as ``#rrggbb``: `paper` is the page, `panel` a box on it, `tint` the paper with a breath of accent;
    `accent` is text on all three, and `paper` is text on `accent`."""

    paper: str
    panel: str
    rule: str
    edge: str
    ink: str
    muted: str
    tint: str = ""
    accent: str = ""
    accent_strong: str = ""


_LIGHT = Scheme(paper="#fdfcfa", panel="#f4f2ed", rule="#e2ded6", edge="#8a867e", ink="#1a1d21", muted="#575d65")
_DARK = Scheme(paper="#13161a", panel="#1b1f24", rule="#2d3339", edge="#747c85", ink="#e8e6e1", muted="#a6adb5")


def light(accent: str) -> Scheme:
    return _with_accent(_LIGHT, accent, pole=0.0, tint=0.09, wanted=CONTRAST)


def dark(accent: str) -> Scheme:
    return _with_accent(_DARK, accent, pole=1.0, tint=0.2, wanted=_GLOW)


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    brighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def mix(one: str, other: str, share: float) -> str:
    """`one` with `share` (0 to 1) of `other` in it, per channel in sRGB."""
    pairs = zip(_channels(one), _channels(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def _with_accent(scheme: Scheme, accent: str, *, pole: float, tint: float, wanted: float) -> Scheme:
    """`tint` is the share of accent in the background of a chip, `pole` the lightness the accent is moved to."""
    chip = mix(scheme.paper, accent, tint)
    readable = _readable(accent, pole, (scheme.paper, scheme.panel, chip), wanted)
    return replace(scheme, tint=chip, accent=readable, accent_strong=_lit(readable, pole, 0.18))


def _readable(accent: str, pole: float, surfaces: tuple[str, ...], wanted: float) -> str:
    """The colour nearest to `accent` on the way to `pole` with the `wanted` contrast on all `surfaces`."""
    for step in range(_STEPS):
        colour = _lit(accent, pole, step / _STEPS)
        if all(contrast(colour, surface) >= wanted for surface in surfaces):
            return colour
    return _lit(accent, pole, 1)


def _lit(colour: str, pole: float, share: float) -> str:
    """`colour` with its lightness moved by `share` of the way to `pole` (0 black, 1 white); the hue stays."""
    hue, lightness, saturation = rgb_to_hls(*(channel / 255 for channel in _channels(colour)))
    channels = hls_to_rgb(hue, lightness + (pole - lightness) * share, saturation * (1 - _CALM * share))
    return "#" + "".join(f"{round(channel * 255):02x}" for channel in channels)


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(channel / 255) for channel in _channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)
