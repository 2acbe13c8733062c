"""Marks of answers (the same bytes have the same one, and are not sent again), and pages of lists
that stay whole while the list grows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_web import V1, House
from web_kit import finding

from detector.live import Entry


@pytest.fixture
def house():
    with House() as one:
        one.service.commit(*(finding(n) for n in range(1, 4)))
        line = b'{"department":"D01"}'
        one.service.timelines["c1"] = [Entry(1, 1_000_000, line)]
        yield one


@pytest.mark.parametrize("path", ["/findings", "/findings/f000001", "/cases/c1", "/notices"])
def test_what_has_not_changed_is_not_sent_again(house, path):
    first = house.get(V1 + path)
    mark = first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    for told in (mark, f"W/{mark}", f'"other", {mark}'):
        again = house.get(V1 + path, headers={"if-none-match": told})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", mark)
        assert "content-length" not in again.headers and "content-type" not in again.headers
    other = house.get(V1 + path, headers={"if-none-match": '"other"'})
    assert other.status_code == 200 and other.content == first.content


def test_what_has_changed_is_sent_with_another_mark(house):
    mark = house.get(f"{V1}/findings").headers["etag"]
    house.service.commit(replace(finding(9), finding_id="f9"))
    told = house.get(f"{V1}/findings", headers={"if-none-match": mark})
    assert told.status_code == 200 and told.headers["etag"] != mark


@pytest.mark.parametrize("path", [f"{V1}/findings/no", "/healthz", f"{V1}/findings?limit=0"])
def test_what_nobody_may_keep_bears_none(house, path):
    told = house.get(path, headers={"if-none-match": "*"})
    assert "etag" not in told.headers and told.headers["cache-control"] == "no-store"


def test_what_is_sent_is_not_compared(house):
    told = house.send(b"{}", headers={"if-none-match": '"x"'})
    assert told.status_code == 200 and "etag" not in told.headers


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
@pytest.mark.parametrize("before", [False, True])
def test_pages_stay_whole_while_the_list_grows(house, limit, before):
    """What was there when the first page was asked for comes once, whatever is put in between."""
    house.service.commit(*(replace(finding(n), at_us=5_000_000) for n in range(10, 15)))
    wanted = [one["finding_id"] for one in house.get(f"{V1}/findings").json()["items"]]
    seen, asked, more = [], {"limit": limit}, 100
    while True:
        told = house.get(f"{V1}/findings", params=asked).json()
        seen += [one["finding_id"] for one in told["items"]]
        at_us = 1 if before else 9_000_000  # behind the place that is being read, or above it
        house.service.commit(replace(finding(more), at_us=at_us), replace(finding(more + 1)))
        asked["cursor"], more = told["next_cursor"], more + 2
        if told["next_cursor"] is None or more > 140:
            break
    assert len(seen) == len(set(seen))
    assert [one for one in seen if one in wanted] == wanted
