"""JSON as the quick road reads it, and its table of known texts: functions for compiled code.

A strict subset: no white space but blanks, no escaped half of a pair, numbers of a moderate length
without exponent, sixteen levels at most inside a field that we do not know. Every text is checked
to be UTF-8. Whatever lies outside comes to -1: the slow road decides about it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

PROBES_MAX = 64  # a text that would stand farther from its place is left to the slow road
DEPTH_MAX = 16

_F = TypeVar("_F", bound=Callable[..., Any])
_U = np.uint64
_ONES, _HIGHS = _U(0x0101010101010101), _U(0x8080808080808080)
_QUOTES, _SLASHES = _U(0x2222222222222222), _U(0x5C5C5C5C5C5C5C5C)
_SPACES, _RUBOUTS = _U(0x2020202020202020), _U(0x7F7F7F7F7F7F7F7F)
_NEWLINES = _U(0x0A0A0A0A0A0A0A0A)
_GOLDEN, _STIR = _U(0x9E3779B97F4A7C15), _U(0xBF58476D1CE4E5B9)
_TAG, _LOW, _ONE, _ZERO = _U(0xFFFFFFFF00000000), _U(0xFFFFFFFF), _U(1), _U(0)


def inner(function: _F) -> _F:
    """A function that is compiled into the kernels of `scan`: nobody calls it from outside."""
    wrapped: _F = njit(
        nogil=True, error_model="numpy", _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True
    )(function)
    return wrapped


def outer(function: Callable[..., Any]) -> Any:
    """A kernel, compiled on its first call or taken from the cache; where no folder can be written,
    there is no cache."""
    try:
        return njit(nogil=True, error_model="numpy", _nrt=False, cache=True)(function)
    except RuntimeError:
        return njit(nogil=True, error_model="numpy", _nrt=False)(function)


def _instruction(function: Callable[..., Any]) -> Callable[..., Any]:
    wrapped: Callable[..., Any] = intrinsic(function)
    return wrapped


@_instruction
def load(typing: Any, at: Any) -> Any:
    """Eight bytes at an address as a number, the first the lowest."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = context.get_value_type(types.CPointer(types.uint64))
        return builder.load(builder.inttoptr(args[0], word), align=1)

    return types.uint64(types.int64), code


@_instruction
def peek(typing: Any, at: Any) -> Any:
    """The byte at an address."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        byte = context.get_value_type(types.CPointer(types.uint8))
        return builder.zext(
            builder.load(builder.inttoptr(args[0], byte)), context.get_value_type(types.int64)
        )

    return types.int64(types.int64), code


@_instruction
def put(typing: Any, at: Any, byte: Any) -> Any:
    """Write a byte at an address."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = context.get_value_type(types.CPointer(types.uint8))
        value = builder.trunc(args[1], context.get_value_type(types.uint8))
        builder.store(value, builder.inttoptr(args[0], kind))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), code


@_instruction
def byte_of(typing: Any, marks: Any) -> Any:
    """Which byte the lowest set bit lies in; some bit is set."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        zeros = builder.cttz(args[0], context.get_constant(types.boolean, 0))
        return builder.lshr(zeros, context.get_constant(types.uint64, 3))

    return types.int64(types.uint64), code


# --- hashes and the table of known texts ----------------------------------------------------------


@inner
def mix(value: Any, salt: int) -> Any:
    """As `vocabulary.mix`."""
    mixed = value * (_U(salt + 1) * _GOLDEN | _ONE)
    mixed ^= mixed >> _U(29)
    mixed *= _STIR
    return mixed ^ (mixed >> _U(32))


@inner
def hash_text(p: int, length: int) -> Any:
    """As `vocabulary.hash_texts` of these bytes."""
    total, place = _ZERO, 8
    while length >= 8:
        total += mix(load(p), place)
        p += 8
        length -= 8
        place = place + 1 if place < 55 else 8
    if length:
        total += mix(load(p) & ((_ONE << _U(8 * length)) - _ONE), place)
    return mix(total, 7)


@inner
def same(p: int, q: int, length: int) -> bool:
    while length >= 8:
        if load(p) != load(q):
            return False
        p += 8
        q += 8
        length -= 8
    mask = (_ONE << _U(8 * length)) - _ONE
    return (load(p) ^ load(q)) & mask == _ZERO


@inner
def home(mixed: Any, kind: int, size: int) -> Any:
    return np.int64((mixed ^ _U(kind) * _GOLDEN) & _U(size - 1))


@inner
def find(
    slots: np.ndarray, heads: np.ndarray, arena: int, used: np.ndarray,
    p: int, length: int, kind: int, mixed: Any, add: bool,
) -> Any:  # fmt: skip
    """Entry of a text of a kind, a new one if `add`; -1 where there is none."""
    place = home(mixed, kind, len(slots))
    for _ in range(PROBES_MAX):
        slot = slots[place]
        if slot == _ZERO:
            if not add:
                return -1
            entry, at = used[0], arena + used[1]
            heads[entry, 0], heads[entry, 1], heads[entry, 2] = used[1], length, kind
            heads[entry, 3] = np.int64(mixed)
            for i in range(length):
                put(at + i, peek(p + i))
            put(at + length, 10)
            used[0], used[1] = entry + 1, used[1] + length + 1
            slots[place] = (mixed & _TAG) | _U(entry + 1)
            return entry
        if slot & _TAG == mixed & _TAG:
            entry = np.int64(slot & _LOW) - 1
            fits = heads[entry, 1] == length and heads[entry, 2] == kind
            if fits and same(arena + heads[entry, 0], p, length):
                return entry
        place = (place + 1) & (len(slots) - 1)
    return -1


# --- JSON -----------------------------------------------------------------------------------------


@inner
def skip(p: int) -> int:
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
