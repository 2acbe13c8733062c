"""Passwords: how they are kept (argon2id), and which are too weak to be one."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from itertools import pairwise

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

CHARS_MIN, CHARS_MAX = 10, 128
DISTINCT_MIN = 5
OLD_KEPT = 5  # so many earlier ones are not chosen again
# What is tried first, without its figures and signs at the end: "Password2024!" is "password".
COMMON = frozenset(
    "password passwort passw0rd p@ssw0rd p@ssword qwerty qwertyuiop qwertyui asdfghjkl asdfgh"
    " zxcvbnm letmein welcome iloveyou admin administrator root superuser test guest default"
    " changeme change monkey dragon football baseball superman princess sunshine abc abcd abcdef"
    " abcdefg abcdefgh qazwsx qazwsxedc 1qaz2wsx 1q2w3e4r 1q2w3e4r5t woaini woaini1314 mima"
    " guanliyuan jiancha xingzheng huangque oriole zhongguo beijing".split()
)


class Passwords:
    """Makes and compares hashes; each takes its tenth of a second and 64 MiB on purpose."""

    def __init__(self, time_cost: int = 3, memory_kib: int = 65_536, lanes: int = 4) -> None:
        self._hash = PasswordHash((Argon2Hasher(time_cost, memory_kib, lanes),))
        self._nobodys = self._hash.hash("what no account has")

    def hash(self, password: str) -> str:
        """What is kept of a password."""
        return self._hash.hash(_plain(password))

    def fits(self, password: str, held: str) -> bool:
        """Whether it is that password. Without one ("") it takes as long, and is not."""
        told = _plain(password)[:CHARS_MAX]
        return self._hash.verify(told, held or self._nobodys) and bool(held)


def _plain(password: str) -> str:
    """The same characters however a keyboard composes them."""
    return unicodedata.normalize("NFKC", password)


def weakness(password: str, names: Iterable[str]) -> str:
    """Why a password may not be one, as a word; "" where it may."""
    told = _plain(password)
    lower = told.casefold()
    if len(told) < CHARS_MIN:
        return "too_short"
    if len(told) > CHARS_MAX:
        return "too_long"
    if any(len(name) >= 3 and name.casefold() in lower for name in names):
        return "has_name"
    if len(set(lower)) < DISTINCT_MIN or _runs(lower):
        return "too_plain"
    core = lower.strip("0123456789!@#$%^&*()_+-=.?,~ ")
    return "common" if lower in COMMON or core in COMMON else ""


def _runs(text: str) -> bool:
    """Nothing but one step up or down again and again: 1234567890, abcdefghij."""
    steps = {ord(b) - ord(a) for a, b in pairwise(text)}
    return steps <= {1, -9} or steps <= {-1, 9}
