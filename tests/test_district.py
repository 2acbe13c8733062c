"""Districts that load, districts that must not, and the line of every mistake.

`districts/good` holds whole folders. Each file under `districts/bad` takes the place of one file
of a sound district; its leading `# ` lines are the messages it must fail with, these and no other.
"""

from __future__ import annotations

import datetime
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from detector.catalogue import DUTIES_APART, Benchmark, Step
from detector.district import DistrictError, district_from, load_district, read_folder
from detector.tomlfile import TOML_BYTES_MAX, Problem, dotted, read_toml, shown

HERE = Path(__file__).parent / "districts"
COUNTY = HERE.parents[1] / "examples" / "county"
GOOD = sorted(path for path in (HERE / "good").iterdir())
BAD = sorted((HERE / "bad").glob("*/*.bad.*"))
TAKES_PLACE_OF = {
    "district": "district.toml",
    "catalogue": "catalogue/x.toml",
    "rulebook": "rulebook.toml",
    "people": "people.csv",
}
SOUND = {
    "district.toml": b'code = "1"\ncalendar.base = "none"\n',
    "catalogue/x.toml": b'[[items]]\ncode = "permit"\nname = "p"\ntype = "01"\n',
    "people.csv": b"",
}


def refused(files: dict[str, bytes]) -> tuple[Problem, ...]:
    with pytest.raises(DistrictError) as caught:
        district_from(files)
    assert caught.value.problems
    assert str(caught.value) == "\n".join(map(str, caught.value.problems))
    return caught.value.problems


def check_refused(files: dict[str, bytes], messages: list[str]) -> None:
    told = [str(problem) for problem in refused(files)]
    missing = [m for m in messages if not any(m in one for one in told)]
    assert messages and not missing, f"not told: {missing}; told: {told}"
    assert len(told) == len(messages), told


def bad_files(path: Path) -> tuple[dict[str, bytes], list[str]]:
    """The sound district with this file in place, and the messages in its head."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    messages = [line[2:].strip() for line in lines if line.startswith("# ")]
    assert lines[: len(messages)] == [line for line in lines if line.startswith("# ")]
    if path.suffix == ".csv":  # CSV has no comments
        text = "".join(lines[len(messages) :])
    return SOUND | {TAKES_PLACE_OF[path.parent.name]: text.encode()}, messages


# --- sound districts


@pytest.mark.parametrize("path", [COUNTY, *GOOD], ids=lambda path: path.name)
def test_a_good_district_loads(path: Path):
    district = load_district(path)
    assert district.code and district.catalogue.items
    again = district_from(read_folder(path))
    assert (again.digest, again.catalogue) == (district.digest, district.catalogue)


def test_the_smallest_district_takes_every_default_and_says_so():
    district = load_district(HERE / "good" / "smallest")
    assert (district.name, district.time_zone, district.profile) == (
        "1",
        "Asia/Shanghai",
        "default",
    )
    assert district.privacy_drop == ("reporter_*",)
    limits = district.limits
    assert (limits.lateness_s, limits.case_events_max) == (60, 10_000)
    assert limits.clock_jump_days_max == 366
    assert (district.people, district.rulebook, district.rulebook_text) == ({}, {}, "")
    assert [note.split(":")[1].strip() for note in district.notes] == ["time_zone", "office_hours"]
    item = district.catalogue.items["permit"]
    assert (item.status, item.kind, item.incompatible) == ("in_use", "promised", DUTIES_APART)
    assert item.promised_days is item.statutory_days is item.fee_fen is None
    assert district.calendar.day_us == 7 * 3_600_000_000
    assert district.calendar.covered_to == 2026


def test_every_key_is_taken():
    district = load_district(HERE / "good" / "every_key")
    permit, card = district.catalogue.items["permit"], district.catalogue.items["card"]
    assert (permit.fee_fen, card.fee_fen, permit.status) == (1250, 0, "dormant")
    assert permit.incompatible == () and permit.where == "catalogue/permits.toml:1"
    assert [step.limit_us for step in permit.steps] == [48_600_000_000, 1_800_000_000]
    assert permit.steps[1] == Step("decide", "decide", limit_hours=permit.steps[1].limit_hours)
    assert permit.steps[0].documents == ("application_form", "id_copy")
    assert permit.benchmarks == ()
    assert district.catalogue.items["fine"].benchmarks == (
        Benchmark("light", 0, 199_999, factors=("first_offence", "corrected")),
        Benchmark("light", 500_000, 500_000, "company"),
    )
    assert [(p.name, p.role, p.level) for p in district.people.values()] == [
        ("张, 三", "supervisor", 2),
        ("P2", "leader", 1),
    ]
    limits = district.limits
    assert (limits.lateness_s, limits.case_events_max, limits.clock_jump_days_max) == (0, 50, 30)
    assert limits.source_lines_per_minute_max == 60_000
    assert (district.gate.on_failure, district.gate.timeout_ms) == ("deny", 50)
    assert district.rulebook["rules"]["too_fast_step"]["limits"][1]["limit_s"] == 600
    assert (district.ladder.name, district.ladder.notices["urge_wd"]) == ("hunan", 6)
    assert district.ladder.points["overdue_promise"] == Decimal("2.5")
    assert "catalogue/empty.toml: lists no item" in district.notes
    # 2026-03-05 and -06 are off, Saturday the 7th is worked: one working day from the 4th's end on.
    start, end = (district.calendar.zone.utc(_local_us(2026, 3, day)) for day in (5, 8))
    assert int(district.calendar.between(start, end)) == district.calendar.day_us


def _local_us(year: int, month: int, day: int) -> int:
    return (datetime.date(year, month, day) - datetime.date(1970, 1, 1)).days * 86_400_000_000


def test_a_pair_that_no_step_can_break_is_a_note():
    notes = load_district(HERE / "good" / "amsterdam").notes
    key = "catalogue/items.toml: items[0].incompatible.pairs[1]"
    assert notes == (f'{key}: no step has duty "accept" (line 12)',)


def test_the_county_holds_what_the_demo_needs():
    district = load_district(COUNTY)
    items = district.catalogue.items.values()
    assert {item.type for item in items} == {*(f"{n:02}" for n in range(1, 11)), "20"}
    assert {item.status for item in items} == {"in_use", "dormant", "abolished"}
    assert {item.kind for item in items} == {"promised", "on_the_spot"}
    departments = {person.department for person in district.people.values()}
    assert departments == {f"D0{n}" for n in range(1, 9)}
    assert {person.role for person in district.people.values()} == {
        "operator", "supervisor", "leader", "auditor", "admin",
    }  # fmt: skip
    assert len({person.phone for person in district.people.values()}) == len(district.people)
    permit = district.catalogue.items["permit"]
    assert (permit.promised_days, permit.statutory_days, permit.fee_fen) == (7, 10, 0)
    assert district.notes == ()


# --- bad districts


@pytest.mark.parametrize("path", BAD, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_bad_file_fails_with_its_message(path: Path):
    files, messages = bad_files(path)
    check_refused(files, messages)


def test_the_check_of_bad_files_can_fail():
    with pytest.raises(pytest.fail.Exception):  # a bad file that loads
        check_refused(SOUND, ["district.toml"])
    with pytest.raises(AssertionError, match="not told"):
        check_refused(SOUND | {"district.toml": b""}, ["another message"])
    with pytest.raises(AssertionError):  # a mistake that nobody expected
        check_refused(SOUND | {"district.toml": b"x = 1"}, ["code: is missing"])


@pytest.mark.parametrize("name", SOUND)
def test_a_missing_file_is_named(name: str):
    problems = refused({other: SOUND[other] for other in SOUND if other != name})
    assert [problem.file for problem in problems] == [name.partition("/")[0]]


def test_mistakes_in_all_files_are_told_together():
    files = SOUND | {
        "district.toml": b'code = 1\ntime_zone = "Mars"\noffice_hours = [["09:00", "12:00"]]\n',
        "catalogue/x.toml": SOUND["catalogue/x.toml"]
        + b'promised_days = 1\nsteps = [{ code = "accept", limit_hours = 4 }]\n',
        "catalogue/y.toml": SOUND["catalogue/x.toml"],
        "people.csv": b"person\n",
        "rulebook.toml": b"[",
        "channels.toml": b"\xff",
        "scoring.toml": b"#" * (TOML_BYTES_MAX + 1),
    }
    told = "\n".join(map(str, refused(files)))
    for part in (
        "district.toml: code: 1 is not",
        'district.toml: time_zone: "Mars"',
        "catalogue/x.toml: items[0].steps: the step limits add up to 4 working hours, more than"
        " the promise of 1 working days × 3 h = 3 h",  # although the calendar is broken
        'catalogue/y.toml: items[0].code: "permit" is listed already at catalogue/x.toml:1',
        "people.csv: has no such header",
        "rulebook.toml: is not TOML",
        "channels.toml: is not UTF-8 (line 1); save the file as UTF-8",
        f"scoring.toml: is larger than {TOML_BYTES_MAX} bytes",
    ):
        assert part in told
    assert told.count("\n") == 7


def test_people_of_another_encoding_are_refused_with_the_line():
    rows = "person,name,role,department,phone,level\nP1,张三,operator,D01,,1\n".encode("gb18030")
    (problem,) = refused(SOUND | {"people.csv": rows})
    assert (problem.line, problem.reason) == (2, "is not UTF-8")


def test_a_folder_that_is_none(tmp_path: Path):
    with pytest.raises(DistrictError, match="is not a folder"):
        load_district(tmp_path / "nowhere")
    (tmp_path / "people.csv").mkdir()
    with pytest.raises(DistrictError, match=r"people\.csv: cannot be read: is not a file"):
        load_district(tmp_path)


def test_the_digest_knows_every_byte_and_name():
    given = SOUND | {"rulebook.toml": b"", "catalogue/y.toml": b""}
    digests = {
        district_from(files).digest
        for files in (
            given,
            given | {"rulebook.toml": b"\n"},
            given | {"people.csv": b"\n"},
            {name.replace("y.toml", "z.toml"): given[name] for name in given},
            SOUND,
        )
    }
    assert len(digests) == 5
    assert district_from(dict(reversed(given.items()))).digest in digests


def test_files_that_are_not_the_districts_change_nothing(tmp_path: Path):
    for name, data in SOUND.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    before = load_district(tmp_path).digest
    (tmp_path / "README.md").write_text("notes")
    (tmp_path / "catalogue" / ".x.toml.swp.toml").write_text("[")
    assert load_district(tmp_path).digest == before
    assert district_from(read_folder(tmp_path)).digest == before


# --- never anything but DistrictError

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
SCALARS = (
    st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.integers(-1, 40)
    | st.floats()
    | WORDS
    | st.sampled_from(["", "*", "01", "accept", "09:00", "2026-03-05", "CN", "UTC", "-1", "a/../b"])
    | st.dates()
    | st.times()
    | st.datetimes()
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3)
)


def quoted(text: str) -> str:
    plain = (c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in text)
    return f'"{"".join(plain)}"'


def toml(value: Any) -> str:
    """The value as inline TOML."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{quoted(k)} = {toml(v)}' for k, v in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return repr(value)


def places(value: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    pairs: list[tuple[Any, Any]] = list(value.items()) if isinstance(value, dict) else []
    if isinstance(value, list):
        pairs = list(enumerate(value))
    return [at, *(place for key, one in pairs for place in places(one, (*at, key)))]


def put(value: Any, place: tuple[str | int, ...], new: Any) -> Any:
    if not place:
        return new
    copy = value.copy()
    copy[place[0]] = put(value[place[0]], place[1:], new)
    return copy


EVERY_KEY = read_folder(HERE / "good" / "every_key")
FULL = {
    name: tomllib.loads(EVERY_KEY[name].decode()) for name in EVERY_KEY if name.endswith(".toml")
}
PLACES = [(name, place) for name in FULL for place in places(FULL[name])]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=3), st.data())
def test_any_value_in_place_of_any_key_loads_or_is_refused(changes, data):
    tables = dict(FULL)
    for (name, place), value in changes:
        if place in places(tables[name]):
            tables[name] = put(tables[name], place, value)
        if isinstance(tables[name], dict) and data.draw(st.booleans()):
            tables[name] = tables[name] | {data.draw(WORDS): value}
    texts = {
        name: "".join(f"{quoted(key)} = {toml(one)}\n" for key, one in table.items())
        for name, table in tables.items()
        if isinstance(table, dict)
    }
    files = EVERY_KEY | {name: text.encode() for name, text in texts.items()}
    try:
        district_from(files)
    except DistrictError as error:
        told = [str(problem) for problem in error.problems]
        assert told and all("\n" not in one and len(one) < 1000 for one in told), told


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.text(max_size=8) | st.just("P1,operator"), max_size=7), max_size=5),
       st.sampled_from([",", "\n", '"', "\0"]))  # fmt: skip
def test_any_people_load_or_are_refused(rows, between):
    text = "person,name,role,department,phone,level\n" + "\n".join(map(between.join, rows))
    try:
        district_from(SOUND | {"people.csv": text.encode("utf-8", "surrogatepass")})
    except DistrictError as error:
        assert all(problem.file == "people.csv" for problem in error.problems)


@given(st.integers(0, 5), st.text("0123456789 -+x", min_size=7, max_size=20), st.booleans())
def test_no_message_repeats_a_phone_number(column, phone, more):
    cells = ["P1", "张三", "clerk", "", "1", "9"]
    cells[column] = phone if sum(map(str.isdigit, phone)) > 6 else "13900000001"
    row = ",".join([*cells, *["more"] * more])
    header = "person,name,role,department,phone,level"
    for problem in refused(SOUND | {"people.csv": f"{header}\n{row}\n{row}\n".encode()}):
        assert cells[column].strip() not in str(problem)


def test_a_person_is_shown_without_phone_and_address():
    people = load_district(COUNTY).people
    assert not any(person.phone in repr(person) for person in people.values())
    mine = "email,person,name,role,department,phone,level\nli@a.gov.cn,P1,李,leader,,13900000001,\n"
    one = district_from(SOUND | {"people.csv": mine.encode()}).people["P1"]
    assert one.email == "li@a.gov.cn" and one.email not in repr(one)


# --- lines

TOKENS = st.sampled_from(
    """[ ] [[ ]] { } = , . a b 1 true "a.b" 'c' ' " \\ #""".split()
    + '\n|\n|\r\n| |a = |[a]\n|[[b]]\n|[b.c]\n|"""|'.split("|")
    + ["'''"]
)


@settings(max_examples=500, deadline=None)
@given(st.lists(TOKENS, max_size=40).map("".join))
@example("={,")
@example("[['']]")
def test_any_text_is_read_as_tomllib_reads_it(text):
    problems: list[Problem] = []
    doc = read_toml("x.toml", text.encode(), problems)
    try:
        values = tomllib.loads(text)
    except ValueError:
        assert doc is None and len(problems) == 1
        return
    assert doc is not None and doc.values == values and not problems
    for place in places(values)[1:]:
        assert doc.line_of(place), dotted(place)


NAMES = st.sampled_from(["a", "b", "c d", 'e"f', "g.h", "键"])
TABLES = st.recursive(
    st.dictionaries(NAMES, st.sampled_from(["1", "1.5", '"# = ["', "'''\n[x]\n'''"]), max_size=3),
    lambda inner: st.dictionaries(NAMES, inner | st.lists(inner, max_size=3), max_size=3),
    max_leaves=8,
)


class Writer:
    """Writes a table as TOML in drawn styles and knows the line of all it wrote."""

    def __init__(self, draw: Any) -> None:
        self.text, self.draw = "", draw
        self.lines: dict[tuple[str | int, ...], int] = {}

    def note(self, at: tuple[str | int, ...]) -> None:
        self.lines[at] = self.text.count("\n") + 1

    def table(self, table: dict[str, Any], at: tuple[str | int, ...]) -> None:
        later = []
        for name, value in table.items():
            if not isinstance(value, str) and self.draw(st.booleans()):
                later.append(name)
                continue
            self.note((*at, name))
            self.text += f"{quoted(name)} ="
            self.value(value, (*at, name))
            self.text += self.draw(st.sampled_from(["\n", " # a = 1\n", "\n\n#[x]\n"]))
        for name in later:
            key = ".".join(quoted(part) for part in (*at, name) if isinstance(part, str))
            if isinstance(table[name], dict):
                self.head(f"[{key}]", (*at, name), table[name])
            for index, entry in enumerate(table[name] if isinstance(table[name], list) else ()):
                self.head(f"[[{key}]]", (*at, name, index), entry)

    def head(self, head: str, at: tuple[str | int, ...], table: dict[str, Any]) -> None:
        self.note(at)
        self.text += f"{head}\n"
        self.table(table, at)

    def value(self, value: Any, at: tuple[str | int, ...]) -> None:
        if isinstance(value, str):
            self.text += value
        elif isinstance(value, dict):
            self.text += "{"
            for index, (name, one) in enumerate(value.items()):
                self.text += ", " * bool(index)
                self.note((*at, name))
                self.text += f"{quoted(name)} ="
                self.value(one, (*at, name))
            self.text += "}"
        else:
            gap = self.draw(st.sampled_from([" ", "\n", " # [{,\n"]))
            self.text += f"[{gap}"
            for index, one in enumerate(value):
                self.note((*at, index))
                self.value(one, (*at, index))
                self.text += f",{gap}"
            self.text += "]"


@settings(max_examples=300, deadline=None)
@given(TABLES, st.data())
def test_the_line_of_every_key_is_found(table, data):
    writer = Writer(data.draw)
    writer.table(table, ())
    problems: list[Problem] = []
    doc = read_toml("x.toml", writer.text.encode(), problems)
    assert doc is not None, (problems, writer.text)
    assert {at: doc.line_of(at) for at in writer.lines} == writer.lines


def test_reading_broken_text_takes_one_pass():
    for text in ('"' * 10, "'''a" * 10, '"""\\"', "a.", "[a.", "{a=", '"\\', "[["):
        problems: list[Problem] = []
        assert read_toml("x.toml", (text * 20_000).encode(), problems) is None
        assert len(problems) == 1 and len(str(problems[0])) < 300


def test_values_in_sentences_stay_short_and_printable():
    assert shown("a\nb\x00") == '"a\ufffdb\ufffd"'
    assert len(shown("x" * 500)) < 80
    assert (shown(True), shown({}), shown([1]), shown(1.5)) == ("true", "a table", "a list", "1.5")
    assert dotted(("items", 3, "steps", 0, "a b")) == 'items[3].steps[0]."a b"'
