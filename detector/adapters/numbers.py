"""Telephone numbers: as gateways want them, and as a log may show them."""

from __future__ import annotations

import re

_CHINESE = re.compile(r"1[3-9]\d{9}", re.ASCII)  # 16… and 19… too
_ABROAD = re.compile(r"\+[1-9]\d{5,14}", re.ASCII)
_BLANKS = re.compile(r"[ \-()]")


def number_of(phone: str) -> str | None:
    """A number as gateways want it: 11 digits of China, else +…; None where it is none."""
    told = _BLANKS.sub("", phone)
    told = "+" + told[2:] if told.startswith("00") else told
    if len(told) == 13 and told.startswith("86"):
        told = "+" + told
    told = told.removeprefix("+86")
    if _CHINESE.fullmatch(told):
        return told
    return told if _ABROAD.fullmatch(told) else None


def masked(address: str) -> str:
    """`139****0001`, or `z****@example.org`."""
    name, at, domain = address.partition("@")
    if at:
        return f"{name[:1]}****@{domain}"
    return f"{name[:3]}****{name[-4:]}" if len(name) > 7 else "****" if name else ""
