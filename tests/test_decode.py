"""Lines in, columns and refusals out: the quick road says of every line what the slow one says.

The slow road is `event.read` over one line at a time; it is also the meaning of a line. Values are
held against `datetime` and `Decimal`.
"""

import json
import random
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from decode_kit import REPORTER, SHANGHAI, ZONES, quickly, slowly, spelled
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lines import OPTIONAL, mutated, random_line

from detector.columns import ARRAYS, Words
from detector.decode import Decoder
from detector.event import Event, Reading, read
from detector.stamps import read_times
from detector.values import ABSENT, MONEY_FEN_MAX, read_money, read_time

SEEDS = st.integers(0, 2**64 - 1)

# --- quick and slow -------------------------------------------------------------------------------


@pytest.mark.parametrize("scan_after", [0, None], ids=["compiled", "objects"])
@settings(max_examples=300)
@given(seed=SEEDS)
def test_a_line_means_what_it_means_alone(scan_after, seed):
    rng = random.Random(seed)
    how = Reading(zone=rng.choice(list(ZONES.values())))
    drop = rng.choice(((), REPORTER, (*REPORTER, "remark"), ("*_name",)))
    lines = [mutated(rng, random_line(rng)).replace(b"\n", b" ") for _ in range(rng.randint(1, 12))]
    slow, quick = slowly(lines, how, drop), quickly(lines, how, drop, rng, scan_after)
    for name in ARRAYS:
        assert quick[0][name] == slow[0][name], name
    assert quick[1:] == slow[1:]


@pytest.mark.parametrize("scan_after", [0, None], ids=["compiled", "objects"])
@settings(max_examples=100)
@given(lines=st.lists(st.binary(max_size=60), max_size=5), seed=SEEDS)
def test_bytes_that_are_no_lines_are_refused_one_by_one(scan_after, lines, seed):
    lines = [line.replace(b"\n", b"") for line in lines]
    quick = quickly(lines, SHANGHAI, (), random.Random(seed), scan_after)
    assert quick == slowly(lines, SHANGHAI, ())
    assert [n for n, _, _ in quick[2]] == [n for n, x in enumerate(lines, 1) if x.strip()]


# --- every bad input by hand ----------------------------------------------------------------------

GOOD = {
    "case_id": "c1", "event_id": "e1", "action": "accept", "item": "permit", "department": "D1",
    "occurred_at": "2026-03-02T09:00:00", "recorded_at": "2026-03-02T09:00:00",
}  # fmt: skip


def line_with(**changes) -> bytes:
    """The good line with these fields changed; `...` leaves one out."""
    told = {k: v for k, v in {**GOOD, **changes}.items() if v is not ...}
    return json.dumps(told, ensure_ascii=False).encode("utf-8", "surrogatepass")


def raw(tail: str) -> bytes:
    """The good line with raw members added."""
    return line_with()[:-1] + tail.encode() + b"}"


BAD = [
    ("line", "is not JSON", b"{"),
    ("line", "is not JSON", line_with()[:50]),
    ("line", "is not JSON", raw(',"fee_due":NaN')),
    ("line", "is not JSON", raw(',"step":"\\ud800"')),
    ("line", "is not a JSON object", b"[1, 2]"),
    ("line", "is not valid UTF-8", line_with(step="x").replace(b"x", b"\xff")),
    ("line", "is not valid UTF-8", line_with(step="\ud800")),
    ("line", "is longer than 65536 bytes", line_with(reason="x" * 70_000)),
    ("line", "is nested too deep", raw(',"x":' + "[" * 30_000 + "]" * 30_000)),
    ("case_id", "is missing", line_with(case_id=...)),
    ("case_id", "is missing", line_with(case_id=None)),
    ("case_id", "must be text", line_with(case_id=7)),
    ("case_id", "is blank, longer", line_with(case_id="x" * 129)),
    ("case_id", "is blank, longer", line_with(case_id="a\x00b")),
    ("operator", "is blank, longer", line_with(operator="  ")),
    ("action", "is unknown: write one of", line_with(action="fly")),
    ("kind", "is unknown", line_with(kind="rumour")),
    ("kind", "is unknown", line_with(kind=5)),
    ("procedure", "is unknown", line_with(procedure="dance")),
    ("occurred_at", "is not a time", line_with(occurred_at="yesterday")),
    ("occurred_at", "must be a text with a time", line_with(occurred_at=5)),
    ("occurred_at", "names a day that the cal", line_with(occurred_at="2026-02-30T00:00:00")),
    ("occurred_at", "names an hour that the day", line_with(occurred_at="2026-03-02T24:00:00")),
    ("recorded_at", "has a second beyond 59", line_with(recorded_at="2026-03-02T09:00:60")),
    ("recorded_at", "has an impossible offset", line_with(recorded_at="2026-03-02T09:00:00+19:00")),
    ("recorded_at", "lies before 1990 or after", line_with(recorded_at="1989-12-31T00:00:00Z")),
    ("recorded_at", "lies before 1990 or after", line_with(recorded_at="2100-01-02T00:00:00Z")),
    ("occurred_at", "clock_jump", line_with(occurred_at="2027-03-04T09:00:00")),
    ("recorded_at", "clock_jump", line_with(
        occurred_at="2025-03-01T08:00:00", received_at="2025-03-01T08:59:59")),
    ("fee_due", "is negative", line_with(fee_due="-300")),
    ("fee_due", "is negative", line_with(fee_due=-300)),
    ("fee_paid", "has more than two decimals", line_with(fee_paid="1.005")),
    ("fee_paid", "has more than two decimals", line_with(fee_paid=1.005)),
    ("fee_paid", "is larger than any fee", line_with(fee_paid=10**30)),
    ("fine", "is not an amount", line_with(fine=[300])),
    ("fine", "is not an amount in yuan", line_with(fine="three hundred")),
    ("promised_days", "must be a whole number", line_with(promised_days=-1)),
    ("promised_days", "must be a whole number", line_with(promised_days=3_661)),
    ("days_granted", "must be a whole number", line_with(days_granted=1.5)),
    ("imported", "must be true or false", line_with(imported="perhaps")),
    ("reason", "is longer than 8000", line_with(reason="x" * 8_001)),
    ("documents", "must be a list of texts", line_with(documents=[1])),
    ("fields", "has more than 256", line_with(fields=["x"] * 257)),
    ("person", "is missing", b'{"kind": "login", "fact_id": "f", "at": "2026-03-02", "role": "x"}'),
    ("received_at", "is missing, and", b'{"kind": "volume", "fact_id": "f", "department": "d",'
     b' "item": "i", "period": "2026", "cases": 3}'),
]  # fmt: skip


@pytest.mark.parametrize("scan_after", [0, None], ids=["compiled", "objects"])
@pytest.mark.parametrize(("field", "error", "line"), BAD)
def test_bad_input_is_refused_and_costs_its_neighbours_nothing(field, error, line, scan_after):
    secret = line_with(case_id="c2").replace(b"}", b', "reporter_name": "Zhang San"}')
    for bad in (line, line.replace(b"}", b', "reporter_name": "Zhang San"}', 1)):
        block = b"\n".join((line_with(), b"", bad, secret, line_with(case_id="c3"))) + b"\n"
        decoded = Decoder(Words(), SHANGHAI, "a.ndjson", REPORTER, scan_after=scan_after).decode(
            block
        )
        [refusal] = decoded.refusals
        assert (refusal.file, refusal.line, refusal.field) == ("a.ndjson", 3, field)
        assert refusal.error.startswith(error)
        assert spelled(decoded.inputs)["case"] == ["c1", "c2", "c3"]
        assert decoded.inputs.position.tolist() == [1, 4, 5]
        assert "Zhang" not in refusal.text + refusal.error
        assert decoded.dropped == 1, "of the line that was taken"


def test_an_error_never_repeats_a_value():
    odd = ("Qx7" * 3_000, ["Qx7"], {"Qx7": 1}, -77_777.777, 77_777_777_777, True, "Qx7\x01", "Qx7")
    lines = [line_with(**{name: value}) for name in (*GOOD, *OPTIONAL) for value in odd]
    lines += [b'{"case_id": Qx7}', b'{"Qx7": 1, "Qx7"}', b"Qx7", line_with(step="Qx7")[:-1]]
    decoders = [Decoder(Words(), SHANGHAI) for _ in lines]
    decoded = [one.decode(line) for one, line in zip(decoders, lines, strict=True)]
    refusals = [refusal for one in decoded for refusal in one.refusals]
    assert len(refusals) > 150
    for refusal in refusals:
        assert not re.search("Qx7|777", refusal.error + refusal.field), refusal


@pytest.mark.parametrize("scan_after", [0, None], ids=["compiled", "objects"])
def test_what_is_odd_and_yet_good(scan_after):
    lines = (
        line_with() + b"\r", b"  " + line_with(case_id="c2") + b"  ", b"\r",
        raw(',"case_id":"c3"'), raw(',"case_id":"c4","remark":{"a":[[[1e5,null]]]}'),
        line_with(case_id="c5", days_granted=5.0, imported="TRUE", fee_due="300.500"),
        line_with(case_id="c6", occurred_at=" 20260302T090000", operator="", documents="a;b"),
    )  # fmt: skip
    decoded = Decoder(Words(), SHANGHAI, scan_after=scan_after).decode(b"\n".join(lines))
    assert decoded.refusals == []
    assert spelled(decoded.inputs)["case"] == ["c1", "c2", "c3", "c4", "c5", "c6"]
    assert decoded.inputs.fee_due.tolist()[4] == 30_050


def test_a_line_holds_one_object():
    one, two, three = (line_with(case_id=c) for c in "abc")
    for rest, wrong in ((three[:11] + b"\n" + three[11:], [1, 2, 3]), (b"\r", [1])):
        block = one + two + b"\n" + rest + b"\n"
        assert [r.line for r in Decoder(Words(), SHANGHAI).decode(block).refusals] == wrong


def test_an_odd_code_after_one_sound_word():
    decoded = Decoder(Words(), SHANGHAI).decode(line_with() + b"\n" + line_with(item=" "))
    assert [(r.line, r.field) for r in decoded.refusals] == [(2, "item")]


def test_a_number_beyond_all_range_in_an_unknown_field_is_nobodys_business():
    line = raw(',"remark":1e999')
    assert quickly([line], SHANGHAI, (), random.Random(1), None) == slowly([line], SHANGHAI, ())


def test_how_deep_a_line_may_be_nested_does_not_depend_on_the_caller():
    line = raw(',"x":' + "[" * 700 + "]" * 700)

    def called_from(depth):
        if depth:
            return called_from(depth - 1)
        return len(Decoder(Words(), SHANGHAI).decode(line).inputs)

    assert called_from(0) == called_from(400)


def test_a_reporter_behind_an_escape_is_dropped_too():
    lines = (raw(',"reporter\\u005fname":"Zhang"'), raw(',"fine":-1,"\\u0072eporter_name":"Zhang"'))
    decoded = Decoder(Words(), SHANGHAI, "-", REPORTER).decode(b"\n".join(lines))
    assert decoded.dropped == 1
    assert "Zhang" not in decoded.refusals[0].text


@pytest.mark.parametrize("scan_after", [0, None], ids=["compiled", "objects"])
def test_a_chinese_name_behind_escapes_is_dropped_too(scan_after):
    good, bad = raw(',"\\u4e3e\\u62a5\\u4eba":"Zhang"'), raw(',"fine":-1,"\\u4E3E报人":"Zhang"')
    decoder = Decoder(Words(), SHANGHAI, "-", ("举报*",), scan_after=scan_after)
    decoded = decoder.decode(good + b"\n" + bad)
    assert decoded.dropped == 1
    assert "Zhang" not in decoded.refusals[0].text
    assert decoder.may_drop(good)


# --- times and money ------------------------------------------------------------------------------


def random_stamp(rng) -> str:
    """A time in one of the written forms, near a change of the clock or anywhere."""
    if rng.random() < 0.5:
        day = rng.choice(("2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01", "1991-04-14"))
        moment = datetime.fromisoformat(day) + timedelta(seconds=rng.randrange(4 * 3_600))
    else:
        moment = datetime(1990, 1, 2) + timedelta(seconds=rng.randrange(3_400_000_000))
    text = moment.strftime(
        rng.choice(("%Y-%m-%dT%H:%M:%S",) * 3 + ("%Y-%m-%d %H:%M:%S", "%Y%m%dT%H%M%S"))
        if rng.random() < 0.9
        else rng.choice(("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y%m%d", "%Y%m%d%H%M%S"))
    )
    if "-" in text and text.count(":") == 2:
        if rng.random() < 0.4:
            text += "." + "".join(rng.choices("0123456789", k=rng.randint(1, 10)))
        if rng.random() < 0.5:
            text += rng.choice(("Z", "z", "+08:00", "-05:30", "+18:00", "+18:01", "-00:00"))
    return text


def slip(rng, text: str) -> str:
    """The text with one letter wrong."""
    at = rng.randrange(len(text))
    letter = rng.choice("0123456789-:.TZ +x２")
    return rng.choice((text[:at] + letter + text[at + 1 :], text[:at] + text[at + 1 :]))


def by_datetime(text: str, zone: str) -> int:
    """The instant as Python's own calendar has it; of two that a wall clock names, the later."""
    text = text.strip().upper().replace(" ", "T")
    if re.fullmatch(r"\d{14}", text):
        text = text[:8] + "T" + text[8:]
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = max(
            (moment.replace(tzinfo=ZoneInfo(zone), fold=fold) for fold in (0, 1)),
            key=lambda m: m.astimezone(UTC),
        )
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@settings(max_examples=300)
@given(SEEDS)
@example(252)
def test_times_are_those_of_datetime_and_columns_read_no_others(seed):
    rng = random.Random(seed)
    name = rng.choice(list(ZONES))
    stamps = [random_stamp(rng) for _ in range(rng.randint(1, 12))]
    texts: list[str | None] = [slip(rng, t) if rng.random() < 0.3 else t for t in stamps]
    if rng.random() < 0.3:
        texts[0] = rng.choice((None, "", "２０２６-03-02T09:00:00"))
    column, unread = read_times(texts, ZONES[name])
    for text, instant, left in zip(texts, column.tolist(), unread.tolist(), strict=True):
        if not text:
            assert (instant, left) == (ABSENT, False)
            continue
        try:
            expected = read_time(text, ZONES[name])
        except ValueError:
            assert left, text
            continue
        assert left or instant == expected, text
        assert expected == by_datetime(text, name), text


@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S+08:00", "%Y%m%dT%H%M%S"])
def test_a_column_of_sound_times_is_read_whole(form):
    begin = datetime(2026, 3, 27)
    texts = [(begin + timedelta(minutes=n)).strftime(form) for n in range(5_000)]
    for zone in ZONES.values():
        column, unread = read_times(texts, zone)
        assert not unread.any()
        assert column.tolist() == [read_time(text, zone) for text in texts]


def test_a_digit_too_few_leaves_the_time_unread():
    for text in ("2026-03-02T09:00:0Z", "2026-03-02T09:00:00", "2026-03-02T09:00:00Z"):
        _, unread = read_times([text], ZONES["Asia/Shanghai"])
        assert unread[0] == (len(text) < 20 and text.endswith("Z"))


PLAIN_MONEY = r"\A-?[0-9]{1,15}(\.[0-9]{1,4})?\Z"


@settings(max_examples=300)
@given(st.one_of(st.integers(-10, 10**17), st.floats(), st.from_regex(PLAIN_MONEY)))
@example("10000000000000.00")
@example("10000000000000.01")
@example(0.29)
@example(4.35)
def test_money_is_that_of_decimal(value):
    told = Decimal(repr(value) if isinstance(value, float) else value)
    plain = told.is_finite() and not told.is_signed() and "e" not in str(value)
    fen = told * 100 if plain else Decimal(-1)
    if plain and fen == fen.to_integral_value() and fen <= MONEY_FEN_MAX:
        assert read_money(value) == fen
    else:
        with pytest.raises(ValueError, match=r"^(is|has) "):
            read_money(value)


MONEY_FAULTS = {
    "is negative",
    "is larger than any fee or fine",
    "has more than two decimals",
    "is not an amount in yuan: write 300 or 300.50",
}


@given(st.text(max_size=8))
def test_money_that_no_decimal_reads_is_refused(text):
    try:
        fen = read_money(text)
    except ValueError as fault:
        assert str(fault) in MONEY_FAULTS  # the same whatever was written: no value is repeated
    else:
        assert fen == Decimal(text.strip()) * 100


def test_an_event_that_was_read_is_whole():
    told = read(json.loads(line_with(fee_due="300.50", relief_reason="低保")), SHANGHAI)
    assert isinstance(told, Event)
    assert (told.fee_due, told.received_at, told.due_at) == (30_050, told.recorded_at, ABSENT)
