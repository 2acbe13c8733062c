"""The fields of a case event as the quick road reads them: functions for compiled code.

A field's value goes into `spot`, a row a field: where a text begins and ends, or the number that it
is. -1 stands for whatever the slow road must decide about.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from detector.compiled import inner, load, peek
from detector.syntax import has_blank, is_digit, skip, text_end, word_end

ABSENT = int(np.iinfo(np.int64).min)

# Fields, in the order of `quick.FIELDS`.
STEP, PROCEDURE, DISTRICT, SOURCE, RESULT, CHANNEL, REASON = 3, 5, 6, 7, 8, 9, 10
RELIEF, DOCUMENTS, OCCURRED = 12, 13, 15
RECORDED, RECEIVED, DUE, FEE_DUE, DAYS, IMPORTED = 16, 17, 18, 19, 21, 24
ACTION, KIND, EVENT_ID, SELDOM, FIELDS = 25, 26, 27, 28, 34
# Bounds, in the order of `quick.Lane._bounds`.
EARLIEST, LATEST, CODE_MAX, TEXT_MAX, ITEMS_MAX, DAYS_MAX, LINE_MAX, STAMP, AHEAD, FIRST = range(10)

_U = np.uint64
_SIXES, _TENS = _U(0x0606060606060606), _U(0xF0F0F0F0F0F0F0F0)
_ZEROS = _U(0x3030303030303030)
_GOLDEN, _STIR = _U(0x9E3779B97F4A7C15), _U(0xBF58476D1CE4E5B9)
_LOW, _BYTE, _ONE, _ZERO = _U(0xFFFFFFFF), _U(0xFF), _U(1), _U(0)


@inner
def field_of(keys: np.ndarray, p: int, length: int) -> Any:
    """Which field a name is: -1 none that we know, -2 one that only the slow road reads."""
    if length > 16 or length == 0:
        return -1
    first, second = load(p), _ZERO
    if length < 8:
        first &= (_ONE << _U(8 * length)) - _ONE
    elif length < 16:
        second = load(p + 8) & ((_ONE << _U(8 * (length - 8))) - _ONE)
    else:
        second = load(p + 8)
    place = np.int64(((first ^ second * _STIR) * _GOLDEN) >> _U(57))
    while keys[place, 2] != _ZERO:
        if keys[place, 0] == first and keys[place, 1] == second:
            return np.int64(keys[place, 2]) - 3
        place = (place + 1) & 127
    return -1


@inner
def may_drop(drops: np.ndarray, p: int, length: int) -> bool:
    """May privacy drop this name: each row of `drops` is how one may begin, its length first."""
    for row in range(len(drops)):
        begin = np.int64(drops[row, 0])
        if begin <= length:
            same = True
            for i in range(begin):
                same = same and drops[row, i + 1] == peek(p + i)
            if same:
                return True
    return False


@inner
def _pair(x: Any, at: int) -> Any:
    return np.int64((x >> _U(at)) & _BYTE) * 10 + np.int64((x >> _U(at + 8)) & _BYTE)


@inner
def _wall(
    year: int, month: int, day: int, hour: int, minute: int, second: int, months: np.ndarray
) -> Any:
    """Seconds of a wall clock since its own 1970, -1 where it never shows this."""
    if year < 1989 or year > 2100 or month < 1 or month > 12 or day < 1:
        return -1
    at = (year - 1989) * 12 + month - 1
    if day > months[at + 1] - months[at] or hour > 23 or minute > 59 or second > 59:
        return -1
    return (months[at] + day - 1) * 86_400 + hour * 3_600 + minute * 60 + second


@inner
def _offset(zone: np.ndarray, local: int) -> Any:
    """How far the district's wall clock is ahead of UTC when it shows `local`."""
    low, high = 0, len(zone)
    while high - low > 1:
        middle = (low + high) // 2
        if zone[middle, 0] <= local:
            low = middle
        else:
            high = middle
    return zone[low, 1]


@inner
def _national(p: int, end: int, months: np.ndarray) -> Any:
    """Microseconds of a wall clock from `YYYYMMDD[T]hhmmss`, -1 where unsure."""
    day = load(p) ^ _ZEROS
    clock = (load(end - 6) ^ _ZEROS) & _U(0xFFFFFFFFFFFF)
    odd = (day | (day + _SIXES) | clock | (clock + _SIXES)) & _TENS
    if odd != _ZERO or (end - p == 15 and peek(p + 8) != 84):
        return -1
    year, month, number = _pair(day, 0) * 100 + _pair(day, 16), _pair(day, 32), _pair(day, 48)
    hour, minute, second = _pair(clock, 0), _pair(clock, 16), _pair(clock, 32)
    seconds = _wall(year, month, number, hour, minute, second, months)
    return seconds * 1_000_000 if seconds >= 0 else -1


@inner
def _dashed(p: int, months: np.ndarray) -> Any:
    """Seconds of a wall clock from `YYYY-MM-DDThh:mm:ss`, -1 where unsure."""
    if (peek(p + 10) != 84 and peek(p + 10) != 32) or peek(p + 16) != 58:
        return -1
    day = load(p) ^ _U(0x2D30302D30303030)
    clock = load(p + 8) ^ (_U(0x30303A3030003030) | _U(peek(p + 10)) << _U(16))
    odd = (day | (day + _SIXES) | clock | (clock + _SIXES)) & _TENS
    odd |= (day & _U(0xFF0000FF00000000)) | (clock & _U(0x0000FF0000FF0000))
    if odd != _ZERO or not is_digit(peek(p + 17)) or not is_digit(peek(p + 18)):
        return -1
    year, month = _pair(day, 0) * 100 + _pair(day, 16), _pair(day, 40)
    number, hour, minute = _pair(clock, 0), _pair(clock, 24), _pair(clock, 48)
    second = peek(p + 17) * 10 + peek(p + 18) - 528
    return _wall(year, month, number, hour, minute, second, months)


@inner
def _shift(p: int) -> Any:
    """Seconds that `±hh:mm` is ahead of UTC, a whole day where it is no offset."""
    shift = load(p) >> _U(8) & _U(0xFFFFFFFFFF) ^ _U(0x30303A3030)
    odd = ((shift | (shift + _SIXES)) & _U(0xF0F0F0F0F0)) | (shift & _U(0xFF0000))
    hour, minute = _pair(shift, 0), _pair(shift, 24)
    if odd != _ZERO or minute > 59 or hour * 60 + minute > 1_080:
        return 86_400
    return (hour * 3_600 + minute * 60) * (1 if peek(p) == 43 else -1)


@inner
def _instant(p: int, end: int, months: np.ndarray, zone: np.ndarray, bounds: np.ndarray) -> int:
    """Microseconds UTC of `YYYY-MM-DDThh:mm:ss[.f][Z|±hh:mm]` or of the national form, -1 where
    unsure."""
    if end - p == 14 or end - p == 15:
        instant = _national(p, end, months)
        naive = instant >= 0
    elif 19 <= end - p <= 32:
        instant, unit = _dashed(p, months) * 1_000_000, 1_000_000
        p += 19
        if peek(p) == 46:
            p += 1
            while is_digit(peek(p)) and unit > 1:
                unit //= 10
                instant += (peek(p) - 48) * unit
                p += 1
            if unit == 1_000_000:
                return -1
        naive = p == end
        if peek(p) == 43 or peek(p) == 45:
            shift = _shift(p)
            if p + 6 != end or shift == 86_400:
                return -1
            instant -= shift * 1_000_000
        elif not naive and (peek(p) != 90 or p + 1 != end):
            return -1
    else:
        return -1
    if naive:
        instant -= _offset(zone, instant)
    return instant if bounds[EARLIEST] <= instant < bounds[LATEST] else -1


@inner
def _amount(p: int, cents: bool) -> tuple[int, int]:
    """A number of at most eleven digits (in hundredths if `cents`) and its end, -1 where unsure."""
    begin, value = p, 0
    while is_digit(peek(p)) and p - begin < 11:
        value = value * 10 + peek(p) - 48
        p += 1
    if p == begin:
        return 0, -1
    if cents:
        value *= 100
        if peek(p) == 46 and is_digit(peek(p + 1)):
            value += (peek(p + 1) - 48) * 10
            p += 2
            if is_digit(peek(p)):
                value += peek(p) - 48
                p += 1
    return value, p


@inner
def _number(p: int, key: int, spot: np.ndarray, days_max: int) -> int:
    """Money or days; a text may hold money."""
    quoted = peek(p) == 34
    p += quoted
    if quoted and peek(p) == 34:  # nothing given
        return p + 1 if key < DAYS else -1
    if not quoted and peek(p) == 48 and is_digit(peek(p + 1)):
        return -1
    value, p = _amount(p, key < DAYS)
    if p < 0 or (quoted and (peek(p) != 34 or key >= DAYS)) or (key >= DAYS and value > days_max):
        return -1
    spot[key, 0] = value
    return p + quoted


@inner
def _list(p: int, key: int, spot: np.ndarray, bounds: np.ndarray) -> int:
    """A list of texts; its span is kept as it is written."""
    begin, count = p, 0
    if peek(p) != 91:
        return -1
    p = skip(p + 1)
    while peek(p) != 93 or count:
        if peek(p) != 34:
            return -1
        end, _ = text_end(p + 1, True)
        count += 1
        if end < 0 or end - p > bounds[TEXT_MAX] or count > bounds[ITEMS_MAX]:
            return -1
        p = skip(end + 1)
        if peek(p) == 93:
            spot[key, 0], spot[key, 1] = begin, p + 1
            break
        if peek(p) != 44:
            return -1
        p = skip(p + 1)
    return p + 1


@inner
def read_value(p: int, key: int, spot: np.ndarray, given: Any) -> int:
    """Read the value of a known field into `spot`: the place after it, -1 where unsure."""
    bounds, _, _, months, zone = given
    c = peek(p)
    if c == 110:  # null
        return word_end(p)
    if key == IMPORTED:
        spot[key, 0] = c == 116
        return word_end(p)
    if FEE_DUE <= key < IMPORTED:
        return _number(p, key, spot, bounds[DAYS_MAX])
    if DOCUMENTS <= key < OCCURRED:
        return _list(p, key, spot, bounds)
    if c != 34:
        return -1
    p += 1
    text = REASON <= key < DOCUMENTS
    end, ascii = text_end(p, text)
    length = end - p
    if length <= 0 or key >= SELDOM:
        return end + 1 if length == 0 and key != KIND else -1
    spot[key, 0], spot[key, 1] = p, end
    if OCCURRED <= key <= DUE:
        spot[key, 0] = _instant(p, end, months, zone, bounds)
        return end + 1 if spot[key, 0] >= 0 else -1
    if key == KIND:
        return end + 1 if length == 4 and load(p) & _LOW == _U(0x65736163) else -1
    if text:
        return end + 1 if length <= bounds[TEXT_MAX] else -1
    # a code: surely not blank, by its first letter
    if length > bounds[CODE_MAX] or not (33 <= peek(p) <= 126 or peek(p) >= 0xE4):
        return -1
    if key == EVENT_ID:
        return end + 1 if ascii and not has_blank(p, end) else -1
    return end + 1
