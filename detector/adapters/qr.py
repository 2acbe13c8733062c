"""A text as a QR code (二维码): lines of an SVG, without a style or a script in it."""

from __future__ import annotations

import segno

MARGIN_MODULES = 4  # of white around it, which readers need on a dark page too


def svg(text: str) -> str:
    """The `<svg>` element that holds the text; its size is that of what is around it."""
    code = segno.make(text, error="m", micro=False)
    return code.svg_inline(
        border=MARGIN_MODULES, dark="#000", light="#fff", svgclass=None, lineclass=None,
        omitsize=True,
    )  # fmt: skip
