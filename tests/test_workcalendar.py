"""The working calendar against a per-second oracle, the published instants, and its laws."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import ModuleType
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from calendar_oracle import District, Oracle, is_worked, mismatches
from hypothesis import given
from hypothesis import strategies as st

from detector import worktime
from detector.workcalendar import (
    BLOCK_ROWS,
    DAY_US,
    NEVER,
    SECOND_US,
    WorkCalendar,
    Zone,
    build_calendar,
    calendar_from,
    hasten,
)


@pytest.fixture(scope="module", params=[None, worktime], ids=["formulas", "kernels"], autouse=True)
def road(request):
    """All that is said of the calendar is true of both."""
    hasten(request.param)
    yield request.param
    hasten(worktime)


COUNTY_HOURS = (("09:00", "12:00"), ("13:30", "17:30"))
ALL_DAY = (("00:00", "24:00"),)
COUNTY = District("CN", "Asia/Shanghai", COUNTY_HOURS)
HOUR_US = 3_600 * SECOND_US
PAIRS = 1_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def calendar_of(district: District) -> WorkCalendar:
    d = district
    return build_calendar(d.base, d.zone, d.hours, off=d.off, work=d.work)


def us(text: str, zone: str = "Asia/Shanghai", fold: int = 0) -> int:
    """Instant of a wall clock reading, in µs."""
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return (local - EPOCH) // timedelta(microseconds=1)


CALENDARS = [
    calendar_of(district)
    for district in (
        COUNTY,
        District("NL", "Europe/Amsterdam", ALL_DAY),
        District("US", "America/New_York", (("01:15", "02:20"), ("02:40", "03:10"))),
        District("weekends", "Australia/Lord_Howe", (("00:00", "02:15"), ("20:00", "24:00"))),
        District("none", "Pacific/Apia", ALL_DAY),
    )
]
COUNTY_CALENDAR = CALENDARS[0]

calendars = st.sampled_from(CALENDARS)
sides = st.sampled_from(["left", "right"])


@st.composite
def instants(draw) -> int:
    """From 1990 to 2100: anywhere, or within three hours of a change of one of the clocks."""
    if draw(st.booleans()):
        return draw(st.integers(us("1990-01-02"), us("2100-12-30")))
    changes = draw(calendars).zone.changes
    near = st.sampled_from(changes[1:]).map(lambda change: change[0])
    t = draw(near) + draw(st.integers(-3 * HOUR_US, 3 * HOUR_US) | st.integers(-2, 2))
    return min(max(t, us("1990-01-02")), us("2100-12-30"))


# --- published instants ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("workdays", "want"),
    [
        (2, "2018-10-17T10:00:00"),
        (3, "2018-10-18T10:00:00"),
        (4, "2018-10-19T10:00:00"),
        (5, "2018-10-22T10:00:00"),
        (7, "2018-10-24T10:00:00"),
        (8, "2018-10-25T10:00:00"),
        (10, "2018-10-29T10:00:00"),
    ],
)
@pytest.mark.parametrize("side", ["left", "right"])
def test_golden_deadlines(workdays, want, side):
    start = us("2018-10-15T10:00:00")
    assert COUNTY_CALENDAR.day_us == 7 * HOUR_US
    deadline = COUNTY_CALENDAR.add(start, workdays * COUNTY_CALENDAR.day_us, side)
    assert int(deadline) == us(want)
    assert int(COUNTY_CALENDAR.between(start, deadline)) == workdays * COUNTY_CALENDAR.day_us


MAKE_UP_DAYS = """
    2018-02-11 2018-02-24 2018-04-08 2018-04-28 2018-09-29 2018-09-30 2018-12-29
    2020-01-19 2020-04-26 2020-05-09 2020-06-28 2020-09-27 2020-10-10
    2024-02-04 2024-02-18 2024-04-07 2024-04-28 2024-05-11 2024-09-14 2024-09-29 2024-10-12
    2026-01-04 2026-02-14 2026-02-28 2026-05-09 2026-09-20 2026-10-10
"""


@pytest.mark.parametrize("text", MAKE_UP_DAYS.split())
def test_a_make_up_weekend_day_is_worked(text):
    """As the State Council's yearly notices have them; the list of a year is whole."""
    assert date.fromisoformat(text).isoweekday() > 5
    morning, evening = us(f"{text}T00:00"), us(f"{text}T23:59")
    assert bool(COUNTY_CALENDAR.workday(morning)[1])
    assert int(COUNTY_CALENDAR.between(morning, evening)) == COUNTY_CALENDAR.day_us


@pytest.mark.parametrize("text", ["2001-12-29", "2005-12-31", "2006-12-31", "2011-12-31"])
def test_a_holiday_of_january_makes_a_december_day_worked(text):
    assert bool(COUNTY_CALENDAR.workday(us(text))[1])


def test_no_other_weekend_day_of_those_years_is_worked():
    noons = np.arange(us("2018-01-01T12:00"), us("2027-01-01T12:00"), DAY_US)
    dates = noons.astype("M8[us]").astype("M8[D]")
    worked = dates[~np.is_busday(dates) & COUNTY_CALENDAR.workday(noons)[1]]
    years = {text[:4] for text in MAKE_UP_DAYS.split()}
    assert [str(day) for day in worked if str(day)[:4] in years] == MAKE_UP_DAYS.split()


def test_holidays_are_free():
    for text in ("2018-10-01", "2020-01-31", "2024-02-12", "2026-02-17", "2026-10-01"):
        assert date.fromisoformat(text).isoweekday() <= 5
        assert not COUNTY_CALENDAR.workday(us(text))[1]


# --- the oracle -----------------------------------------------------------------------------------

ZONES = (
    "Asia/Shanghai Europe/Amsterdam America/New_York Australia/Lord_Howe Asia/Kathmandu "
    "America/St_Johns America/Havana America/Sao_Paulo Africa/Cairo Africa/Casablanca "
    "Pacific/Chatham Pacific/Apia"
).split()
BASES = ("CN", "CN", "NL", "US", "AE", "weekends", "none")


def random_hours(rng: np.random.Generator) -> tuple[tuple[str, str], ...]:
    """Whole days, half days, nights, and one to three intervals to the minute."""
    fixed = (ALL_DAY, COUNTY_HOURS, (("00:00", "12:00"),), (("12:00", "24:00"),))
    if rng.random() < 0.4:
        return fixed[rng.integers(len(fixed))]
    count = 2 * int(rng.integers(1, 4))
    edges = np.sort(rng.choice(1_441 if rng.random() < 0.7 else 240, count, replace=False))
    texts = [f"{minute // 60:02}:{minute % 60:02}" for minute in edges.tolist()]
    return tuple(zip(texts[::2], texts[1::2], strict=True))


def random_district(rng: np.random.Generator) -> tuple[District, date]:
    """A district and the first of 120 days, where it has up to eight exceptions."""
    first = date(1990, 1, 5) + timedelta(days=int(rng.integers(40_000)))
    if rng.random() < 0.8:  # mostly the years in which clocks change and holidays are known
        first = date(1995, 1, 1) + timedelta(days=int(rng.integers(30 * 365)))
    days = rng.choice(120, int(rng.integers(9)), replace=False).tolist()
    exceptions = [first + timedelta(days=day) for day in days]
    off, work = exceptions[::2], exceptions[1::2]
    zone, base = str(rng.choice(ZONES)), str(rng.choice(BASES))
    return District(base, zone, random_hours(rng), off, work), first


def assert_equal_to_oracle(seed: int) -> None:
    rng = np.random.default_rng(seed)
    district, first = random_district(rng)
    oracle = Oracle(district, first)
    assert mismatches(calendar_of(district), oracle, rng, PAIRS) == 0, (seed, district, first)


@pytest.mark.parametrize(
    "seed", [*range(25), *(pytest.param(n, marks=pytest.mark.slow) for n in range(25, 100))]
)
def test_every_random_calendar_equals_the_oracle(seed):
    assert_equal_to_oracle(seed)


@pytest.mark.prove
@pytest.mark.parametrize("hundred", range(1, 101))
def test_ten_thousand_random_calendars_equal_the_oracle(hundred):
    for seed in range(100 * hundred, 100 * hundred + 100):
        assert_equal_to_oracle(seed)


class OldClock(Zone):
    """A zone that knows nothing of clock changes."""

    def __init__(self, name: str) -> None:
        super().__init__(name, Zone(name).changes[:1])


SUMMER = District("NL", "Europe/Amsterdam", ALL_DAY)
BROKEN = {
    "no make-up workdays": (COUNTY, replace(COUNTY, base="weekends"), date(2020, 9, 1)),
    "a minute too long": (
        COUNTY,
        replace(COUNTY, hours=[("09:00", "12:01"), ("13:30", "17:30")]),
        date(2021, 3, 1),
    ),
    "an exception forgotten": (replace(COUNTY, off=[date(2021, 3, 15)]), COUNTY, date(2021, 3, 1)),
    "another zone": (SUMMER, replace(SUMMER, zone="Europe/London"), date(2021, 3, 1)),
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_comparison_rejects_a_wrong_calendar(name):
    right, wrong, first = BROKEN[name]
    oracle = Oracle(right, first)
    assert mismatches(calendar_of(right), oracle, np.random.default_rng(1), PAIRS) == 0
    assert mismatches(calendar_of(wrong), oracle, np.random.default_rng(1), PAIRS) > 0


@pytest.mark.parametrize("first", [date(2021, 2, 1), date(2021, 8, 1)])
def test_the_comparison_rejects_a_calendar_without_clock_changes(first):
    whole = calendar_of(SUMMER)
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(whole.content()["working"]), np.uint8))
    working = bits[: date(2101, 1, 1).toordinal() - date(1990, 1, 1).toordinal()].astype(bool)
    oracle = Oracle(SUMMER, first)
    broken = WorkCalendar(OldClock("Europe/Amsterdam"), whole.hours, working, None)
    assert mismatches(broken, oracle, np.random.default_rng(1), PAIRS) > 0


class OneLate(WorkCalendar):
    """Whose every answer to `add` is a microsecond late."""

    def add(self, t, work_us, side="right"):
        return super().add(t, work_us, side) + 1


def test_the_comparison_rejects_a_microsecond():
    whole = COUNTY_CALENDAR
    working = whole.workday(whole.zone.utc(np.arange(7_305, 47_847) * DAY_US))[1]
    broken = OneLate(whole.zone, whole.hours, working, None)
    oracle = Oracle(COUNTY, date(2021, 3, 1))
    assert mismatches(broken, oracle, np.random.default_rng(1), PAIRS) > 0


def test_the_comparison_rejects_a_kernel_that_is_a_microsecond_late(road):
    def late(out, *told):
        worktime.add(out, *told)
        out += 1

    kernels = ModuleType("late")
    vars(kernels).update(vars(worktime) | {"add": late})
    oracle = Oracle(COUNTY, date(2021, 3, 1))
    hasten(kernels)
    wrong = mismatches(COUNTY_CALENDAR, oracle, np.random.default_rng(1), PAIRS)
    hasten(road)
    assert wrong > 0


# --- laws -----------------------------------------------------------------------------------------


@given(calendars, instants(), instants())
def test_work_never_goes_back_and_never_outruns_the_clock(calendar, a, b):
    a, b = min(a, b), max(a, b)
    done = int(calendar.between(a, b))
    assert done >= 0
    assert done == int(calendar.work(b)) - int(calendar.work(a)) == -int(calendar.between(b, a))
    skipped = 25 * HOUR_US  # where a clock is put forward, or a day is left out
    if not any(a < change <= b for change, _ in calendar.zone.changes):
        skipped = 0
    assert skipped or done <= b - a


@given(calendars, instants(), instants(), instants())
def test_add_is_the_exact_inverse_of_between(calendar, a, b, t):
    done = int(calendar.between(a, b))
    left, right = (int(calendar.add(a, done, side)) for side in ("left", "right"))
    assert left <= b <= right
    assert (t >= left) == (int(calendar.between(a, t)) >= done)
    late = int(calendar.between(a, t)) > done
    ends_a_skip = t == right and t in dict(calendar.zone.changes)
    assert (t > right) == (late and not ends_a_skip)


@given(calendars, instants(), st.integers(-(10**13), 10**13))
def test_left_is_at_or_before_right_and_both_are_at_the_position(calendar, t, work_us):
    left, right = (int(calendar.add(t, work_us, side)) for side in ("left", "right"))
    assert left <= right
    position = int(calendar.work(t)) + work_us
    for instant in {left, right} - {NEVER}:
        if position >= 0 and instant not in dict(calendar.zone.changes):
            assert int(calendar.work(instant)) == position


@given(calendars, instants(), st.lists(st.integers(-(10**13), 10**13), min_size=2), sides)
def test_more_work_is_never_done_earlier(calendar, t, work_us, side):
    assert (np.diff(calendar.add(t, sorted(work_us), side)) >= 0).all()


@given(
    calendars, st.lists(st.tuples(instants(), st.integers(-(10**13), 10**13)), min_size=2), sides
)
def test_a_column_is_its_elements(calendar, rows, side):
    t, w = np.array(rows).T
    ones = [(int(x), int(y)) for x, y in rows]
    assert calendar.work(t).tolist() == [int(calendar.work(x)) for x, _ in ones]
    assert calendar.add(t, w, side).tolist() == [int(calendar.add(x, y, side)) for x, y in ones]
    assert calendar.at(w, side).tolist() == [int(calendar.at(y, side)) for _, y in ones]
    assert calendar.between(t, t[::-1]).tolist() == [
        int(calendar.between(x, y)) for x, y in zip(t.tolist(), t[::-1].tolist(), strict=True)
    ]
    assert calendar.zone.utc(t).tolist() == [int(calendar.zone.utc(x)) for x, _ in ones]
    assert calendar.date_only(t).tolist() == [bool(calendar.date_only(x)) for x, _ in ones]


# --- days and clock changes -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ZONES)
def test_zone_is_zoneinfo(name):
    zone, rng = Zone(name), np.random.default_rng(11)
    near = np.array([change for change, _ in zone.changes[1:]], np.int64)[:, None]
    beside = near + np.array([-1, 0, 1, HOUR_US, -HOUR_US // 4, HOUR_US // 4])
    t = np.concatenate([beside.ravel(), rng.integers(us("1985-01-02"), us("2110-12-30"), 300)])
    t = t[t < us("2110-12-30")]
    for instant, wall, back in zip(t, zone.local(t), zone.utc(zone.local(t)), strict=True):
        want = (EPOCH + timedelta(microseconds=int(instant))).astimezone(ZoneInfo(name))
        want = want.replace(tzinfo=None)
        assert wall == (want - datetime(1970, 1, 1)) // timedelta(microseconds=1)
        assert back == max(us(want.isoformat(), name, fold) for fold in (0, 1))


@pytest.mark.parametrize("name", ["Europe/Amsterdam", "America/New_York"])
def test_zone_bears_the_ends_of_int64(name):
    zone = Zone(name)
    for extreme in (NEVER, -NEVER - 1):
        for answer in (zone.local(extreme), zone.utc(extreme), zone.local([extreme, extreme])[0]):
            assert (answer > 0) == (extreme > 0)


def test_a_reading_that_comes_twice_is_the_later_and_one_that_is_skipped_too():
    zone = Zone("Europe/Amsterdam")
    wall = np.array(["2021-10-31T02:30", "2021-03-28T02:30"], "M8[us]").astype(np.int64)
    want = np.array(["2021-10-31T01:30", "2021-03-28T01:30"], "M8[us]").astype(np.int64)
    assert zone.utc(wall).tolist() == want.tolist()
    shown = zone.local(want).astype("M8[us]").astype(str).tolist()
    assert [text[11:16] for text in shown] == ["02:30", "03:30"]


def test_a_deadline_in_the_repeated_hour_is_in_its_second_pass():
    calendar = calendar_of(SUMMER)
    start = us("2021-10-29T02:30", "Europe/Amsterdam")
    for side in ("left", "right"):
        deadline = int(calendar.add(start, DAY_US, side))  # Friday to Monday, over the change
        assert deadline == us("2021-11-01T02:30", "Europe/Amsterdam")
    every_day = build_calendar("none", "Europe/Amsterdam", ALL_DAY)
    deadline = int(every_day.add(start, 2 * DAY_US))
    assert deadline == us("2021-10-31T02:30", "Europe/Amsterdam", fold=1)
    first_pass = us("2021-10-31T02:10", "Europe/Amsterdam", fold=0)
    assert int(every_day.between(first_pass, first_pass + 40 * 60 * SECOND_US)) == 0


def test_a_deadline_in_the_skipped_hour_is_at_its_end():
    every_day = build_calendar("none", "Europe/Amsterdam", ALL_DAY)
    start = us("2021-03-27T02:30", "Europe/Amsterdam")
    skip = us("2021-03-28T03:00", "Europe/Amsterdam")
    for side in ("left", "right"):
        assert int(every_day.add(start, DAY_US, side)) == skip
        assert int(every_day.add(start, DAY_US - HOUR_US // 2, side)) == skip  # 02:00 is 03:00
    assert int(every_day.between(start, skip)) == DAY_US + HOUR_US // 2


def test_a_day_that_the_zone_left_out_is_not_worked():
    samoa = build_calendar("none", "Pacific/Apia", COUNTY_HOURS)
    thursday, saturday = (us(f"2011-12-{day}T10:00", "Pacific/Apia") for day in (29, 31))
    assert int(samoa.between(thursday, saturday)) == samoa.day_us
    assert np.diff(samoa.workday([thursday, saturday])[0]).tolist() == [1]
    assert np.diff(samoa.day([thursday, saturday])).tolist() == [2]


@pytest.mark.parametrize("district", [COUNTY, SUMMER, replace(SUMMER, base="AE")])
def test_days_are_those_of_the_date(district):
    calendar, zone = calendar_of(district), ZoneInfo(district.zone)
    t = np.random.default_rng(7).integers(us("1995-01-01"), us("2035-01-01"), 300)
    dates = [datetime.fromtimestamp(x // SECOND_US, zone).date() for x in t.tolist()]
    assert calendar.day(t).tolist() == [(day - date(1970, 1, 1)).days for day in dates]
    assert calendar.workday(t)[1].tolist() == [is_worked(district, day) for day in dates]
    first = date(2024, 1, 1)
    want = [sum(is_worked(district, first + timedelta(days=k)) for k in range(n)) for n in (0, 31)]
    months = [us("2023-12-31T23:59", district.zone), us("2024-01-31T23:59", district.zone)]
    assert (calendar.workday(months)[0] - calendar.workday(months[0])[0]).tolist() == want


def test_date_only_is_midnight_to_the_microsecond():
    midnight = us("2026-03-02T00:00")
    got = COUNTY_CALENDAR.date_only([midnight - 1, midnight, midnight + 1, midnight + HOUR_US])
    assert got.tolist() == [False, True, False, False]


def test_provisional_begins_with_the_first_uncovered_year_local():
    edge = us("2027-01-01T00:00")
    assert COUNTY_CALENDAR.covered_to == 2026
    assert COUNTY_CALENDAR.provisional([edge - 1, edge, NEVER]).tolist() == [False, True, True]
    assert not CALENDARS[1].provisional(NEVER)
    known = build_calendar("CN", "Asia/Shanghai", COUNTY_HOURS, covered_to=2027)
    assert not known.provisional(edge)


# --- ends of the table, shapes, content -----------------------------------------------------------


@pytest.mark.parametrize("calendar", CALENDARS)
def test_beyond_the_table_is_never(calendar):
    last, after = us("2100-12-20"), us("2101-01-05")
    assert calendar.add([last, after, NEVER], 30 * calendar.day_us).tolist() == [NEVER] * 3
    assert calendar.add([after, NEVER, NEVER], [-1, -1, -NEVER]).tolist() == [NEVER] * 3
    assert int(calendar.add(last, NEVER)) == int(calendar.add(last, NEVER, "left")) == NEVER
    total = int(calendar.work(NEVER))
    assert calendar.at([total, total + 1, NEVER]).tolist() == [NEVER] * 3
    closing = int(calendar.at(total, "left"))
    assert us("2100-12-30") < closing < after
    assert int(calendar.work(closing)) == total > int(calendar.work(closing - 1))
    assert calendar.at([total + 1, NEVER], "left").tolist() == [NEVER] * 2


@pytest.mark.parametrize("calendar", CALENDARS)
def test_before_the_table_is_its_start(calendar):
    name = calendar.zone.name
    start = us("1990-01-01", name)
    early = us("1980-01-01", name)
    assert calendar.work([early, start, -(2**62)]).tolist() == [0, 0, 0]
    assert calendar.at([0, -1, -NEVER], "left").tolist() == [start] * 3
    opening = int(calendar.at(0))
    assert calendar.at([-1, -NEVER]).tolist() == [opening] * 2
    assert int(calendar.work(opening + 1)) == 1
    assert int(calendar.add(us("1995-01-01", name), -NEVER)) == opening
    assert int(calendar.workday(early)[0]) == 0
    assert not calendar.workday([early, NEVER])[1].any()


def test_answers_have_the_broadcast_shape():
    calendar = COUNTY_CALENDAR
    t = us("2026-03-02T10:00")
    assert calendar.work(t).shape == () and calendar.work(t).dtype == np.int64
    assert calendar.work([t]).shape == (1,)
    assert calendar.add(np.full((3, 1), t), [1, 2]).shape == (3, 2)
    assert calendar.add(np.full((1, 1), t), 5).shape == (1, 1)
    assert calendar.between(np.zeros(0, np.int64), t).shape == (0,)
    assert [part.shape for part in calendar.workday(np.full((2, 2), t))] == [(2, 2)] * 2
    assert calendar.date_only(t).dtype == np.bool_
    assert calendar.work(np.array([7], np.int32)).dtype == np.int64
    with pytest.raises(TypeError):
        calendar.work(1.5)
    with pytest.raises(ValueError, match="not in"):
        calendar.at(0, "upward")


def test_blocks_do_not_show():
    rng = np.random.default_rng(3)
    t = rng.integers(us("1990-01-01"), us("2100-01-01"), 2 * BLOCK_ROWS + 5)
    kept = t.copy()
    for calendar in CALENDARS:
        whole = calendar.add(t, DAY_US)
        parts = [calendar.add(part, DAY_US) for part in np.array_split(t, 7)]
        assert np.array_equal(whole, np.concatenate(parts))
    assert np.array_equal(t, kept)


def test_content_makes_the_same_calendar_and_the_digest_sees_every_part():
    district = replace(COUNTY, zone="Europe/Amsterdam")
    base = calendar_of(district)
    again = calendar_from(json.loads(json.dumps(base.content())))
    t = np.random.default_rng(5).integers(us("1990-01-01"), us("2100-01-01"), 1_000)
    assert np.array_equal(base.add(t, 10 * base.day_us), again.add(t, 10 * base.day_us))
    others = [
        replace(district, zone="Europe/London"),
        replace(district, base="weekends"),
        replace(district, hours=ALL_DAY),
        replace(district, off=[date(2026, 3, 5)]),
        replace(district, work=[date(2026, 3, 7)]),
    ]
    digests = [calendar_of(other).digest() for other in others]
    digests.append(build_calendar("CN", "Europe/Amsterdam", COUNTY_HOURS, 2027).digest())
    assert base.digest() == again.digest() == calendar_of(district).digest()
    assert len({base.digest(), *digests}) == 7 and len(base.digest()) == 64


# --- refusals -------------------------------------------------------------------------------------

GOOD = {"base": "CN", "zone_name": "Asia/Shanghai", "office_hours": COUNTY_HOURS}
BAD = [
    ({"base": "ZZ"}, r'calendar.base: "ZZ" is no country .* write an ISO 3166 code such as "CN"'),
    ({"base": "CHN"}, r'calendar.base: "CHN"'),
    ({"zone_name": "Asia/Peking"}, r'time_zone: "Asia/Peking" is unknown; write'),
    ({"zone_name": "Asia"}, r'time_zone: "Asia"'),
    ({"zone_name": "../etc"}, r'time_zone: "../etc"'),
    ({"zone_name": ""}, r'time_zone: ""'),
    ({"office_hours": []}, r"office_hours: empty; write at least one span"),
    ({"office_hours": [("09:00", "12:00"), ("13:30",)]}, r"office_hours\[1\]: \['13:30'\] is no"),
    ({"office_hours": [("9:00", "12:00")]}, r"office_hours\[0\]: .* is no span of a day; write"),
    ({"office_hours": [("22:00", "06:00")]}, r"office_hours\[0\]: .* is no span of a day"),
    ({"office_hours": [("09:00", "24:01")]}, r"office_hours\[0\]: .* is no span of a day"),
    ({"office_hours": [("08:00", "12:00"), ("11:59", "18:00")]}, r"\[1\]: .* overlaps another"),
    ({"covered_to": 1989}, r"calendar.covered_to: 1989; write a year from 1990 to 2100"),
    ({"off": [date(1989, 12, 31)]}, r"calendar.off: 1989-12-31 is not within 1990 to 2100"),
    (
        {"off": [date(2026, 3, 5)], "work": [date(2026, 3, 5)]},
        r"calendar.work: 2026-03-05 is in calendar.off too; keep one",
    ),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_a_wrong_calendar_is_refused_with_key_fault_and_remedy(change, message):
    with pytest.raises(ValueError, match=message):
        build_calendar(**(GOOD | change))


def test_spans_may_come_in_any_order_and_touch():
    calendar = build_calendar("none", "Asia/Shanghai", [("12:00", "24:00"), ("00:00", "12:00")])
    assert calendar.hours == ((0, DAY_US // 2), (DAY_US // 2, DAY_US))
    noon = us("2026-03-02T12:00")
    assert int(calendar.at(calendar.work(noon))) == int(calendar.at(calendar.work(noon), "left"))
