"""Mapping files that are sound, those that are not, and what a sound one means.

Each file under `bad/mapping` must fail with the messages in its leading `# ` lines, these and no
other.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.tomlfile import DistrictError
from replay.mapping import EMITS_MAX, FIELDS, Mapping, load_mapping, own_names, read_mapping

BAD = sorted((Path(__file__).parent / "bad" / "mapping").glob("*.bad.toml"))
RECEIPT = Path(__file__).parents[1] / "examples" / "receipt" / "mapping.toml"
SOUND = """
[columns]
case_id = "case"
step = "what"
recorded_at = "when"
[constants]
item = "permit"
department = "D1"
"""


def mapped(text: str) -> Mapping:
    return read_mapping("mapping.toml", text.encode())


def faults(text: str) -> list[str]:
    with pytest.raises(DistrictError) as caught:
        mapped(text)
    return list(map(str, caught.value.problems))


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_file_says_what_is_wrong(path: Path) -> None:
    text = path.read_text("utf-8")
    messages = [line[2:] for line in text.splitlines() if line.startswith("# ")]
    told = faults(text)
    missing = [m for m in messages if not any(m in one for one in told)]
    assert not missing, told
    assert len(told) == len(messages), told


def test_the_receipt_mapping_is_sound() -> None:
    mapping = load_mapping(RECEIPT)
    assert mapping.base.columns["case_id"] == "case:concept:name"
    assert mapping.values["action"] == {"Confirmation of receipt": "accept"}
    assert "operator" not in mapping.unknown and not mapping.per_case and not mapping.emits


def test_an_absent_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DistrictError, match=r"nowhere.toml: cannot be read: No such file"):
        load_mapping(tmp_path / "nowhere.toml")


def test_the_work_was_done_when_it_was_recorded_if_nothing_else_is_said() -> None:
    assert mapped(SOUND).base.columns["occurred_at"] == "when"
    stamped = mapped('[columns]\ncase_id = "c"\nitem = "i"\ndepartment = "d"\naction = "a"\n'
                     '[constants]\nrecorded_at = 2026-01-05T10:00:00Z\n')  # fmt: skip
    assert stamped.base.constants["occurred_at"] == "2026-01-05T10:00:00+00:00"


def test_without_an_operator_column_operators_are_unknown() -> None:
    assert "operator" in mapped(SOUND).unknown
    assert "operator" not in mapped(SOUND + 'operator = "SYSTEM"').unknown
    emitting = SOUND + '[[emit]]\n[emit.columns]\nrecorded_at = "end"\noperator = "who"\n'
    emitted = mapped(emitting + '[emit.constants]\naction = "close"\n')
    assert emitted.unknown == {"reason", "documents", "fields"}


def test_an_emitted_event_takes_case_item_department_and_constants_alone() -> None:
    mapping = mapped(
        SOUND.replace('step = "what"', 'step = "what"\noperator = "who"\nfee_due = "fee"')
        + 'channel = "1"\n[[emit]]\nper = "case"\nwhen = "end"\n[emit.columns]\n'
        'recorded_at = "end"\ndepartment = "other"\n[emit.constants]\naction = "close"\n'
    )
    (emit,) = mapping.emits
    assert emit.columns == {
        "case_id": "case", "department": "other", "recorded_at": "end", "occurred_at": "end",
    }  # fmt: skip
    assert emit.constants == {"item": "permit", "channel": "1", "action": "close"}
    assert (emit.per, emit.when) == ("case", "end")
    assert set(mapping.uses()) == {"case", "what", "who", "fee", "when", "other", "end"}
    assert mapping.uses()["end"] == "emit[0].columns.recorded_at"


def test_events_of_a_row_come_before_those_of_its_case() -> None:
    one = '[[emit]]\nper = "{}"\n[emit.columns]\nrecorded_at = "end"\n[emit.constants]\n'
    one += 'action = "close"\n'
    mapping = mapped(SOUND + one.format("case") + one.format("row"))
    assert [emit.per for emit in mapping.emits] == ["row", "case"]
    many = faults(SOUND + one.format("row") * (EMITS_MAX + 1))
    assert many == [f"mapping.toml: emit: has {EMITS_MAX + 1} entries, more than {EMITS_MAX}"
                    " (line 9); remove some"]  # fmt: skip


def test_a_constant_step_is_looked_up_at_once() -> None:
    text = SOUND.replace('step = "what"\n', "") + 'step = "Closed"\n[[emit]]\n[emit.columns]\n'
    text += 'recorded_at = "end"\nstep = "what"\n[values.action]\n"Closed" = "close"\n'
    assert mapped(text).base.constants["action"] == "close"


def test_own_names_are_their_own_mapping() -> None:
    mapping = own_names(["case_id", "step", "fact_id", "weather"])
    assert mapping.base.columns == {"case_id": "case_id", "step": "step", "fact_id": "fact_id"}


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    try:
        read_mapping("mapping.toml", data)
    except DistrictError as fault:
        assert fault.problems


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5).map(repr),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4))
def test_no_constant_breaks_the_reader(constants: dict[str, object]) -> None:
    lines = [f"{name} = {str(value).lower()}\n" for name, value in constants.items()]
    try:
        mapping = mapped('[columns]\ncase_id = "c"\nstep = "s"\n[constants]\n' + "".join(lines))
    except DistrictError:
        return
    assert mapping.base.constants
