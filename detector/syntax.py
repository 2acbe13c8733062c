"""JSON as the quick road reads it: functions for compiled code.

A strict subset: no white space but blanks, no escaped half of a pair, numbers of a moderate length
without exponent, sixteen levels at most inside a field that we do not know. Every text is checked
to be UTF-8. Whatever lies outside comes to -1: the slow road decides about it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from detector.compiled import byte_of, inner, load, peek

DEPTH_MAX = 16

_U = np.uint64
_ONES, _HIGHS = _U(0x0101010101010101), _U(0x8080808080808080)
_QUOTES, _SLASHES = _U(0x2222222222222222), _U(0x5C5C5C5C5C5C5C5C)
_SPACES, _RUBOUTS = _U(0x2020202020202020), _U(0x7F7F7F7F7F7F7F7F)
_NEWLINES = _U(0x0A0A0A0A0A0A0A0A)
_LOW, _ONE, _ZERO = _U(0xFFFFFFFF), _U(1), _U(0)


@inner
def skip(p: int) -> int:
    """The next byte that is no blank."""
    while peek(p) == 32:
        p += 1
    return p


@inner
def text_end(p: int, escapes: bool) -> tuple[int, bool]:
    """Where the text's closing quote stands (-1 where unsure), and whether all of it is ASCII."""
    begin, high = p, _ZERO
    while True:
        w = load(p)
        q, s, d = w ^ _QUOTES, w ^ _SLASHES, w ^ _RUBOUTS
        m = ((q - _ONES) & ~q) | ((s - _ONES) & ~s) | ((d - _ONES) & ~d) | ((w - _SPACES) & ~w)
        m &= _HIGHS
        if m == _ZERO:
            high |= w
            p += 8
            continue
        high |= w & ((m & (~m + _ONE)) - _ONE)
        p += byte_of(m)
        if peek(p) == 34:
            break
        if peek(p) != 92 or not escapes:
            return -1, False
        p = _escape_end(p + 1)
        if p < 0:
            return -1, False
    ascii = high & _HIGHS == _ZERO
    if not ascii and not _utf8(begin, p):
        return -1, False
    return p, ascii


@inner
def _escape_end(p: int) -> int:
    """The byte after an escape, -1 where unsure: halves of pairs are."""
    c = peek(p)
    if c == 117:
        for i in range(1, 5):
            x = peek(p + i) | 32
            if not (48 <= peek(p + i) <= 57 or 97 <= x <= 102):
                return -1
        return -1 if peek(p + 1) | 32 == 100 and peek(p + 2) >= 56 else p + 5
    if c == 34 or c == 92 or c == 47 or c == 98 or c == 102 or c == 110 or c == 114 or c == 116:
        return p + 1
    return -1


@inner
def _utf8(p: int, end: int) -> bool:
    while p < end:
        c, second = peek(p), peek(p + 1)
        if c < 0x80:
            p += 1
            continue
        low, top, more = 0x80, 0xBF, 2
        if 0xC2 <= c <= 0xDF:
            more = 1
        elif c == 0xE0:
            low = 0xA0
        elif c == 0xED:
            top = 0x9F
        elif 0xF0 <= c <= 0xF4:
            more = 3
            low = 0x90 if c == 0xF0 else low
            top = 0x8F if c == 0xF4 else top
        elif not 0xE0 <= c <= 0xEF:
            return False
        if not low <= second <= top:
            return False
        if more > 1 and peek(p + 2) & 0xC0 != 0x80:
            return False
        if more > 2 and peek(p + 3) & 0xC0 != 0x80:
            return False
        p += more + 1
    return True


@inner
def is_digit(c: Any) -> bool:
    """0 to 9."""
    return 48 <= c <= 57


@inner
def word_end(p: int) -> int:
    """After `null`, `true` or `false`."""
    four = load(p) & _LOW
    if four == _U(0x6C6C756E) or four == _U(0x65757274):
        return p + 4
    return p + 5 if four == _U(0x736C6166) and peek(p + 4) == 101 else -1


@inner
def _number_end(p: int) -> int:
    """After a number without exponent and of a moderate length."""
    p += peek(p) == 45
    begin = p
    while is_digit(peek(p)) and p - begin < 16:
        p += 1
    if p == begin or (peek(begin) == 48 and p > begin + 1) or is_digit(peek(p)):
        return -1
    if peek(p) == 46:
        p += 1
        begin = p
        while is_digit(peek(p)) and p - begin < 16:
            p += 1
        if p == begin or is_digit(peek(p)):
            return -1
    return p


@inner
def _name_end(p: int) -> int:
    """Where the value begins after a name inside an unknown field."""
    if peek(p) != 34:
        return -1
    p, _ = text_end(p + 1, True)
    if p < 0:
        return -1
    p = skip(p + 1)
    return skip(p + 1) if peek(p) == 58 else -1


@inner
def _plain_end(p: int) -> int:
    """After a text, a word, a number or an empty list or object."""
    c = peek(p)
    if c == 34:
        p, _ = text_end(p + 1, True)
        return p + 1 if p >= 0 else -1
    return word_end(p) if c > 96 else _number_end(p)


@inner
def value_end(p: int) -> int:
    """After a whole JSON value of an unknown field, -1 where unsure."""
    depth, objects = 0, _ZERO
    while True:
        c = peek(p)
        if c == 123 or c == 91:
            p = skip(p + 1)
            if peek(p) != c + 2:
                depth += 1
                objects = objects << _ONE | _U(c == 123)
                if c == 123:
                    p = _name_end(p)
                if p < 0 or depth > DEPTH_MAX:
                    return -1
                continue
            p += 1
        else:
            p = _plain_end(p)
        while p >= 0 and depth:
            p = skip(p)
            inside = objects & _ONE
            if peek(p) == 44:
                p = skip(p + 1)
                if inside:
                    p = _name_end(p)
                break
            if peek(p) != (125 if inside else 93):
                return -1
            depth -= 1
            objects >>= _ONE
            p += 1
        if p < 0 or depth == 0:
            return p


@inner
def line_end(p: int) -> int:
    """The next newline; there is one."""
    while True:
        w = load(p) ^ _NEWLINES
        m = (w - _ONES) & ~w & _HIGHS
        if m:
            return p + byte_of(m)
        p += 8


@inner
def has_blank(p: int, end: int) -> bool:
    """Is there a blank in a text of ASCII?"""
    while p < end:
        w = load(p) ^ _SPACES
        if end - p < 8:
            w |= ~_ZERO << _U(8 * (end - p))
        if (w - _ONES) & ~w & _HIGHS:
            return True
        p += 8
    return False
