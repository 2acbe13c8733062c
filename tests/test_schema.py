"""Schemas agree with the readers: the same keys, the same bounds, and never stricter than they.

A schema cannot see another key, another file or the calendar; `BEYOND` lists the bad files that are
bad for such a reason alone.
"""

from __future__ import annotations

import fnmatch
import json
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from test_district import EVERY_KEY, FULL, PLACES, VALUES, put, quoted, toml
from test_pages import oriole

from detector import tomlfile
from detector.cli.generated import differences
from detector.cli.schema import schemas
from detector.district import district_from, load_district
from detector.event import CODE_BYTES_MAX
from detector.schema.parts import MARK
from detector.shelf import configure, load_shelf
from detector.tomlfile import DistrictError
from replay.mapping import read_mapping

SHELF = load_shelf()
FOLDER = ROOT / "schemas"
SCHEMAS: dict[str, dict[str, Any]] = {
    name.removesuffix(".json"): json.loads(text) for name, text in schemas().items()
}
VALIDATORS = {name: Draft202012Validator(schema) for name, schema in SCHEMAS.items()}
TESTS = ROOT / "tests"
DISTRICTS = [
    *sorted((ROOT / "examples").iterdir()),
    *sorted(path for path in (TESTS / "logs").iterdir() if path.is_dir()),
    *sorted((TESTS / "districts" / "good").iterdir()),
]
GOOD = [
    path
    for folder in DISTRICTS
    for pattern in (
        "district.toml",
        "rulebook.toml",
        "mapping.toml",
        "profile.toml",
        "catalogue/*.toml",
    )
    for path in sorted(folder.glob(pattern))
]
GOOD += sorted((ROOT / "detector" / "profiles").glob("*.toml"))
BAD = [
    *sorted((TESTS / "districts" / "bad").glob("*/*.bad.toml")),
    *sorted((TESTS / "bad").glob("mapping/*.bad.toml")),
]
NO_TOML = {"district/key_twice", "district/not_toml", "rulebook/not_toml", "mapping/not_toml"}
BEYOND = {
    "catalogue/flow_beyond_promise": "adds up steps, and needs the calendar",
    "catalogue/benchmark_twice": "compares two entries",
    "catalogue/item_twice": "compares two items",
    "catalogue/no_item": "looks at all files: one alone may list none",
    "catalogue/promise_beyond_statutory": "compares two keys",
    "catalogue/step_twice": "compares two steps",
    "district/calendar_both": "compares two lists",
    "district/gate_twice": "compares two keys",
    "district/drop_needed": "a pattern against the names of fields",
    "district/hours_backwards": "compares two times",
    "district/hours_overlap": "compares two pairs",
    "district/zone": "the zones that there are",
    "district/zone_folder": "the zones that there are",
    "mapping/values_unused": "compares tables",
}


def schema_of(path: Path) -> str:
    """Which schema a good file belongs to; bad ones lie in folders of that name."""
    folders = {"catalogue": "catalogue", "profiles": "profile"}
    return folders.get(path.parent.name, path.stem)


def plain(value: Any) -> Any:
    """A TOML value as an editor's validator sees it: JSON, with days and times as texts."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value.isoformat() if isinstance(value, date | datetime | time) else value


def complaints(name: str, values: Any) -> list[str]:
    """What the schema says against these values."""
    return [f"{e.json_path}: {e.message}" for e in VALIDATORS[name].iter_errors(plain(values))]


# --- fresh and sound


def test_the_schemas_are_fresh():
    """Failing? Run `oriole schema` and commit what it writes."""
    assert differences(FOLDER, schemas(), MARK) == []


def test_the_command_writes_and_checks(tmp_path: Path):
    assert "district.json: missing" in oriole("schema", "--out", tmp_path, "--check", code=1).output
    oriole("schema", "--out", tmp_path)
    told = json.loads(oriole("schema", "--out", tmp_path, "--check", "--json").output)
    assert told == {"folder": str(tmp_path), "files": len(SCHEMAS), "faults": []}
    (tmp_path / "mapping.json").write_text("{}")
    assert "mapping.json: stale" in oriole("schema", "--out", tmp_path, "--check", code=1).output


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one(name: str):
    Draft202012Validator.check_schema(SCHEMAS[name])


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_key_is_explained_in_both_languages(name: str):
    for path, schema in keys_of(name).items():
        if path[-1] != "*":
            assert schema["title"] and schema["description"], path
            assert any("\u4e00" <= c <= "\u9fff" for c in schema["description"]), path
            assert any(c.isascii() and c.isalpha() for c in schema["description"]), path


def test_editors_find_the_schema_of_every_file():
    rules = tomllib.loads((ROOT / ".taplo.toml").read_text("utf-8"))["rule"]
    assert {rule["schema"]["path"] for rule in rules} == {f"schemas/{n}.json" for n in SCHEMAS}
    for path in GOOD:
        name = path.relative_to(ROOT).as_posix()
        found = [r for r in rules if any(fnmatch.fnmatch(name, p) for p in r["include"])]
        assert [r["schema"]["path"] for r in found] == [f"schemas/{schema_of(path)}.json"]


# --- good and bad files


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_good_file_is_valid(path: Path):
    assert complaints(schema_of(path), tomllib.loads(path.read_text("utf-8"))) == []


@pytest.mark.parametrize("path", BAD, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_bad_file_is_rejected_where_a_schema_can(path: Path):
    name = f"{path.parent.name}/{path.name.removesuffix('.bad.toml')}"
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except ValueError:
        assert name in NO_TOML
        return
    assert bool(complaints(path.parent.name, values)) is (name not in BEYOND), name


def test_the_lists_name_files_that_there_are():
    names = {f"{path.parent.name}/{path.name.removesuffix('.bad.toml')}" for path in BAD}
    assert names >= {*NO_TOML, *BEYOND}


BAD_RULEBOOKS = [
    '[rules.nonesuch]\nmode = "on"',
    '[rules.too_fast_step]\nmode = "loud"',
    "[rules.too_fast_step]\nspeed = 3",
    "[rules.too_fast_step]\ndefault_limit_s = -1",
    '[rules.too_fast_step]\ndefault_limit_s = "60"',
    '[rules.too_fast_step]\nlimits = [{ item = "x" }]',
    '[rules.too_fast_step]\nlimits = [{ item = "x", until = 3, limit_s = 3 }]',
    '[[rules.same_person.exempt]]\nreason = "r"\napproved_by = "a"',
    '[[rules.same_person.exempt]]\nitem = "*"\nreason = "r"\napproved_by = "a"',
    '[[rules.same_person.exempt]]\nitem = "x"\nreason = "r"',
    '[[rules.same_person.override]]\nitem = "x"\nreason = "r"\napproved_by = "a"',
    '[[rules.same_person.override]]\nmode = "off"\nreason = "r"\napproved_by = "a"',
    "[rules.same_person.bands.nonesuch]\nedge = 3",
    "[rules.same_person.bands.same_person]\ntier = 5",
    "[rules.same_person.bands.apart]\ntier = 1",
    "[rules.same_person.bands.apart]\nedge = 1",
    '[rules.same_person.bands.same_person]\nedge = "1"',
    '[[rules.same_person.exempt]]\nitem = "x"\nreason = "r"\napproved_by = "a"\nuntil = "soon"',
    "mode = 1",
]


@pytest.mark.parametrize("text", BAD_RULEBOOKS)
def test_a_bad_rulebook_is_rejected_as_the_reader_does(text: str):
    with pytest.raises(DistrictError):
        configure(SHELF, district_from(EVERY_KEY | {"rulebook.toml": text.encode()}))
    assert complaints("rulebook", tomllib.loads(text))


# --- the same keys and bounds

Path_ = tuple[str, ...]


def resolved(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    where = schema.get("$ref", "").removeprefix("#/$defs/")
    return SCHEMAS[name]["$defs"][where] if where else schema


@cache
def keys_of(name: str) -> dict[Path_, dict[str, Any]]:
    """Every key that the schema names, with what it says of it; `*` is any key."""
    found: dict[Path_, dict[str, Any]] = {}

    def walk(schema: dict[str, Any], at: Path_) -> None:
        schema = resolved(name, schema)
        inner = dict(schema.get("properties", {}))
        if isinstance(schema.get("additionalProperties"), dict):
            inner["*"] = schema["additionalProperties"]
        for key, one in inner.items():
            found[(*at, key)] = resolved(name, one)
            walk(one, (*at, key))
        if isinstance(schema.get("items"), dict):
            walk(schema["items"], at)

    walk(SCHEMAS[name], ())
    return found


def sample(name: str, schema: dict[str, Any]) -> Any:
    """A value in which every key of the schema stands, one entry in every list."""
    schema = resolved(name, schema)
    if "anyOf" in schema and "type" not in schema:
        return sample(name, schema["anyOf"][-1])
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema["type"]
    if kind == "object":
        value = {key: sample(name, one) for key, one in schema.get("properties", {}).items()}
        if isinstance(schema.get("additionalProperties"), dict):
            value["x"] = sample(name, schema["additionalProperties"])
        return value
    if kind == "array":
        one = sample(name, schema["items"])
        return [one] * max(1, schema.get("minItems", 0))
    return {"string": "x", "integer": 1, "number": 1, "boolean": schema.get("default")}[kind]


class Spy(tomlfile.Table):
    """A table that writes down how each of its keys is asked for."""

    asked: dict[tuple[str, Path_], tuple[Any, ...]]

    def note(self, key: str, *how: Any) -> None:
        path = (*(part for part in self.at if isinstance(part, str)), key)
        if path[0] == "values" and len(path) == 3:  # their own words
            path = (*path[:2], "*")
        if path[0] in ("points", "departments") and len(path) == 2:  # any rule, any department
            path = (path[0], "*")
        if path[:2] == ("learning", "learners"):  # any learner, any of its parameters
            path = (*path[:2], *["*"] * len(path[2:]))
        file = self.doc.file
        name = "catalogue" if file.startswith("catalogue/") else file.removesuffix(".toml")
        if how != ("take",):
            type(self).asked[name, path] = how
        type(self).asked.setdefault((name, path), how)

    def take(self, key):
        self.note(key, "take")
        return super().take(key)

    def text(self, key, default=None, chars_max=tomlfile.TEXT_CHARS_MAX):
        self.note(key, "text", default is None, chars_max)
        return super().text(key, default, chars_max)

    def texts(self, key, default=(), chars_max=tomlfile.TEXT_CHARS_MAX):
        self.note(key, "texts", chars_max)
        return super().texts(key, default, chars_max)

    def choice(self, key, choices, default=None):
        self.note(key, "choice", default, tuple(choices))
        return super().choice(key, choices, default)

    def whole(self, key, low, high):
        self.note(key, "whole", low, high)
        return super().whole(key, low, high)

    def flag(self, key, default):
        self.note(key, "flag", default)
        return super().flag(key, default)

    def table(self, key):
        self.note(key, "table")
        return super().table(key)

    def tables(self, key):
        self.note(key, "tables")
        return super().tables(key)


def read_samples(told: dict[str, Any]) -> list[str]:
    """Read a document of each kind; what is said of keys that are unknown."""
    texts = {
        name: "".join(f"{quoted(key)} = {toml(value)}\n" for key, value in values.items()).encode()
        for name, values in told.items()
    }
    problems: list[tomlfile.Problem] = []
    files = {
        "district.toml": texts["district"], "catalogue/x.toml": texts["catalogue"],
        "profile.toml": texts["profile"],
    }  # fmt: skip
    try:
        read_mapping("mapping.toml", texts["mapping"])
    except DistrictError as fault:
        problems += fault.problems
    try:
        district_from(files | {"people.csv": b""})
    except DistrictError as fault:
        problems += fault.problems
    district = load_district(TESTS / "districts" / "good" / "smallest")
    book, profile = (
        tomlfile.read_toml(f"{name}.toml", texts[name], problems)
        for name in ("rulebook", "profile")
    )
    assert book and profile
    ladder = replace(district.ladder, rules=profile)
    try:
        configure(SHELF, replace(district, rulebook_doc=book, ladder=ladder))
    except DistrictError as fault:
        problems += fault.problems
    return [str(problem) for problem in problems if "unknown key" in problem.reason]


def never_fits(path: Path_) -> bool:
    """A tier of a band that raises nothing: asked for, only to be refused."""
    if path[-3:-2] != ("bands",) or path[-1] != "tier":
        return False
    return any(b.code == path[-2] and not b.zh for b in SHELF[path[1]].rule.bands)


@pytest.fixture(scope="module")
def asked() -> Iterator[dict[tuple[str, Path_], tuple[Any, ...]]]:
    """How the readers ask for every key, when every key of the schemas is there."""
    Spy.asked = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tomlfile, "Table", Spy)
        assert read_samples({name: sample(name, schema) for name, schema in SCHEMAS.items()}) == []
    told = Spy.asked.items()
    yield {key: how for key, how in told if key[0] in SCHEMAS and not never_fits(key[1])}


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema_and_reader_know_the_same_keys(asked, name: str):
    taken = {path for kind, path in asked if kind == name}
    told = set(keys_of(name))
    assert taken - told == set(), "taken by the reader, not in the schema"
    assert told - taken == set(), "in the schema, not taken by the reader"


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema_and_reader_set_the_same_bounds(asked, name: str):
    keys = keys_of(name)
    owners: dict[Path_, dict[str, Any]] = {(): SCHEMAS[name], **keys}
    for (kind, path), (getter, *how) in asked.items():
        if kind != name:
            continue
        schema = keys[path]
        owner = owners[path[:-1]]
        owner = resolved(name, owner.get("items", owner))
        demanded = path[-1] in owner.get("required", ())
        match getter, how:
            case "text", [required, chars_max]:
                most = CODE_BYTES_MAX if path[-1] == "code" else chars_max
                assert (schema["type"], schema["maxLength"]) == ("string", most), path
                assert path[-1] == "*" or demanded is required, path
            case "choice", [default, choices]:
                assert tuple(schema["enum"]) == choices, path
                assert (schema.get("default"), demanded) == (default, default is None), path
            case "whole", [low, high]:
                told = (schema["type"], schema["minimum"], schema["maximum"])
                assert told == ("integer", low, high), path
            case "flag", [default]:
                assert (schema["type"], schema["default"]) == ("boolean", default), path
            case "texts", [chars_max]:
                assert (schema["type"], schema["uniqueItems"]) == ("array", True), path
                assert schema["items"]["maxLength"] == chars_max, path
            case (("table" | "tables"), []):
                assert schema["type"] == {"table": "object", "tables": "array"}[getter], path


def test_the_spy_sees_a_key_that_a_reader_takes_besides(monkeypatch):
    monkeypatch.setattr(tomlfile, "Table", Spy)
    monkeypatch.setattr(Spy, "asked", {})
    doc = tomlfile.read_toml("district.toml", b"[calendar]\nfirst = 1\n", [])
    assert doc is not None
    doc.root([]).table("calendar").whole("first", 0, 7)
    assert Spy.asked["district", ("calendar", "first")] == ("whole", 0, 7)
    assert ("calendar", "first") not in keys_of("district")


# --- never stricter than the reader


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=2))
def test_what_the_reader_takes_is_valid(changes):
    """Whatever stands in the place of a key: no editor may complain of what a district takes."""
    tables = dict(FULL)
    for (name, place), value in changes:
        try:
            tables[name] = put(tables[name], place, value)
        except (KeyError, IndexError, TypeError, AttributeError):
            continue
    whole = {name: table for name, table in tables.items() if isinstance(table, dict)}
    texts = {
        name: "".join(f"{quoted(key)} = {toml(one)}\n" for key, one in table.items()).encode()
        for name, table in whole.items()
    }
    try:
        district = district_from(EVERY_KEY | texts)
        configure(SHELF, district)
    except DistrictError:
        return
    for name, text in texts.items():
        kind = "catalogue" if name.startswith("catalogue/") else name.removesuffix(".toml")
        if kind in SCHEMAS and kind != "profile":  # what a district sets anew is not read there
            assert complaints(kind, tomllib.loads(text.decode())) == []


CONSTANTS: dict[str, list[Any]] = {
    "item": ["permit", " permit ", "许可"],
    "action": ["close"],
    "procedure": ["hearing"],
    "received_at": ["2026-03-02", "20260302T101112", "2026-03-02 10:11:12.5+08:00", "20260302"],
    "title": ["x\ny", " "],
    "documents": ["a;b", ["a"], []],
    "fee_due": [3, 3.5, "3.50", " 3. ", 0],
    "days_granted": [0, "12", 3660],
    "imported": [True, False, "TRUE", "0"],
}


@pytest.mark.parametrize("field", CONSTANTS)
def test_a_constant_that_the_reader_takes_is_valid(field: str):
    head = '[columns]\ncase_id = "c"\nitem = "i"\ndepartment = "d"\nstep = "s"\nrecorded_at = "r"\n'
    head = head.replace(f"{field} =", "operator =")
    for value in CONSTANTS[field]:
        text = f"{head}[constants]\n{field} = {toml(value)}\n"
        read_mapping("mapping.toml", text.encode())
        assert complaints("mapping", tomllib.loads(text)) == [], value
    for value in ("x" * 9_000, -1):
        text = f"{head}[constants]\n{field} = {toml(value)}\n"
        with pytest.raises(DistrictError):
            read_mapping("mapping.toml", text.encode())
        split = field == "documents" and isinstance(value, str)  # its parts are not seen
        assert complaints("mapping", tomllib.loads(text)) or split, value
