"""Text messages as gateways count and bill them: UCS-2, the signature 【…】 included.

Chinese never fits the seven-bit alphabet, so none is assumed. A message of 70 code units goes
whole; a longer one goes in parts of 67, for each part bears a header. A character outside the basic
plane (emoji, rare Han) is two code units, and no gateway may cut it in the middle.
"""

from __future__ import annotations

import re

WHOLE_UNITS_MAX = 70
PART_UNITS_MAX = 67
CUT = "…"
_QUOTED_LEAST = 8  # characters of a quotation that are kept, the mark of the cut included
_QUOTED = re.compile(r"「([^「」]*)」|“([^“”]*)”")
_ENDS = re.compile(r"[。；！？]|[.;!?](?=\s)")  # of sentences, the last of which has none behind it
_LINK = re.compile(r"\s*https?://\S+\s*$")


def units(text: str) -> int:
    """UTF-16 code units of a text."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def signed(text: str, signature: str) -> str:
    """The text as it is counted: its signature in front, in 【】 also where it was given bare."""
    bare = signature.strip().removeprefix("【").removesuffix("】").strip()
    return f"【{bare}】{text}" if bare else text


def count(text: str, signature: str = "") -> int:
    """Code units of a message with its signature."""
    return units(signed(text, signature))


def split(text: str, signature: str = "") -> list[str]:
    """The parts of a message as they travel, the signature in the first."""
    whole = signed(text, signature)
    if units(whole) <= WHOLE_UNITS_MAX:
        return [whole]
    told, begin, used = [], 0, 0
    for place, character in enumerate(whole):
        size = 1 if ord(character) < 0x10000 else 2
        if used + size > PART_UNITS_MAX:
            told.append(whole[begin:place])
            begin, used = place, 0
        used += size
    return [*told, whole[begin:]]


def parts(text: str, signature: str = "") -> int:
    """How many messages are billed."""
    return len(split(text, signature))


def shorten(text: str, signature: str, parts_max: int) -> str:
    """A text that fits so many parts, cut where it matters least and marked with `…` there.

    What people wrote, in 「」 or “”, goes first; then the end of what precedes the last sentence,
    for that one says what is to be done and by when, and bears the link; at last all but the link.
    Raises `ValueError` where not even the signature fits.
    """
    if parts_max < 1 or parts(CUT, signature) > parts_max:
        raise ValueError(f"{parts_max} parts do not hold the signature")
    text = _quote_less(text, signature, parts_max)
    if parts(text, signature) <= parts_max:
        return text
    for head, tail in _kept(text):
        if head and parts(CUT + tail, signature) <= parts_max:
            return _fit(head, tail, signature, parts_max)
    return _fit(text, "", signature, parts_max)


def _kept(text: str) -> list[tuple[str, str]]:
    """What may be cut and what should stay: the last sentence with its link, else the link."""
    link = _LINK.search(text)
    said = text[: link.start()] if link else text
    ends = [found.end() for found in _ENDS.finditer(said) if said[found.end() :].strip()]
    places = [*ends[-1:], *([link.start()] if link else [])]
    return [(text[:place], text[place:]) for place in places]


def _quote_less(text: str, signature: str, parts_max: int) -> str:
    """The text with its quotations cut as far as is needed, and none shorter than is legible."""
    for found in reversed(list(_QUOTED.finditer(text))):
        if parts(text, signature) <= parts_max:
            break
        before, after = text[: found.start() + 1], text[found.end() - 1 :]
        said = found[0][1:-1]
        while len(said) > _QUOTED_LEAST and parts(text, signature) > parts_max:
            said = said.removesuffix(CUT)[:-1] + CUT
            text = before + said + after
    return text


def _fit(head: str, tail: str, signature: str, parts_max: int) -> str:
    """As much of `head` as goes before the cut and `tail`."""
    room = WHOLE_UNITS_MAX if parts_max == 1 else PART_UNITS_MAX * parts_max
    keep = min(len(head), room)
    while keep and parts(head[:keep] + CUT + tail, signature) > parts_max:
        keep -= 1
    return head[:keep] + CUT + tail
