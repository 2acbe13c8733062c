"""What is left out of `make check`: the longest tests, of some all cases but the first."""

from __future__ import annotations

from pathlib import Path

import pytest
from durations import LISTED, longest, mark_slow, read_report, too_long

REPORT = """<testsuites><testsuite>
<testcase classname="tests.test_a" name="test_long" time="9.5"/>
<testcase classname="tests.test_a" name="test_short" time="0.1"/>
<testcase classname="tests.test_b" name="test_many[x-y]" time="0.2"/>
<testcase classname="tests.test_b" name="test_many[z]" time="3"/>
</testsuite></testsuites>"""


def test_the_shortest_stay(tmp_path: Path) -> None:
    (tmp_path / "report.xml").write_text(REPORT)
    told = read_report(tmp_path / "report.xml")
    assert told["test_b.py::test_many"] == [0.2, 3.0]
    assert too_long(told, 3.4) == ["test_a.py::test_long"]
    assert too_long(told, 0.1) == ["test_a.py::test_long", "test_b.py::test_many but the first"]


def test_the_longer_of_two_reports_counts() -> None:
    assert longest([{"a": [1.0], "b": [0.0]}, {"a": [0.5, 0.4], "b": [0.2]}]) == {
        "a": [1.0], "b": [0.2],
    }  # fmt: skip


def test_what_needs_a_server_is_slow(request: pytest.FixtureRequest) -> None:
    item = pytest.Function.from_parent(request.node.parent, name="test_x", callobj=lambda: None)
    item.fixturenames = ["postgres"]
    mark_slow([item], [])
    assert item.get_closest_marker("slow")


@pytest.mark.parametrize("case", ["first", "second"])
def test_a_case(case: str, request: pytest.FixtureRequest) -> None:
    """What marks these two must mark the second alone."""
    name = f"{request.node.path.name}::test_a_case"
    items = [i for i in request.session.items if i.path.name == request.node.path.name]
    mark_slow([i for i in items if i.name.startswith("test_a_case")], [f"{name} but the first"])
    assert (request.node.get_closest_marker("slow") is None) == (case == "first")


def test_the_list_names_tests_that_there_are() -> None:
    """Failing? Take the line out, or measure again: `python tests/durations.py REPORT…`."""
    for line in LISTED.read_text("utf-8").splitlines():
        file, name = line.split(" ")[0].split("::")
        assert f"def {name}(" in (LISTED.parent / file).read_text("utf-8"), line
