"""A limit on trial is shown where people look, beside the live figures and never among them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from live_kit import Live
from screens_kit import Screens, over
from test_trials import LIMITS, WHY, steps, with_trial

from detector.live.shard import counting
from detector.values import read_time

SINCE = "2026-03-02T08:00:00+08:00"
PAGE = "/rules/too_fast_step/thresholds"
OTHER = "/rules/too_fast_case/thresholds"


def shown(trial: str) -> Iterator[Screens]:
    """The pages over three surveys that are too fast by the limit of 1800 s, one by 45 s too."""
    live = Live(content=with_trial(trial), kind=counting)
    live.post(*steps(30, 50, 1700, 1900))
    live.post({"kind": "tick", "at": "2026-03-02T20:00:00+08:00"})
    yield from over(live)


@pytest.fixture(scope="module")
def tried():
    yield from shown(f'{LIMITS}since = "{SINCE}"\n{WHY}')


@pytest.fixture(scope="module")
def plain():
    yield from shown("")


def test_the_explorer_says_what_is_in_force_and_what_is_tried(tried, plain):
    page = tried.get(PAGE, params={"lang": "en"}).text
    panel = re.search(r'<section class="panel" id="trial">.*?</section>', page, re.S)
    assert panel is not None
    told = re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", panel[0]))
    assert (
        "limits[*,accept,survey] 1800 → 45 s" in told
        and "On trial since 2026-03-02 08:00:00" in told
    )
    for words, many in (
        ("Found by the limits in force", 3), ("Found by what is tried", 1),
        ("Only by the limits in force", 2), ("Only by what is tried", 0),
    ):  # fmt: skip
        assert f"{words} {many} " in told, told
    assert 'href="/rules/too_fast_step#trial"' in panel[0]
    assert "限值：现行 → 试行" in tried.get(PAGE, params={"lang": "zh"}).text
    for page in (tried.get(OTHER), plain.get(PAGE)):
        assert page.status_code == 200 and 'id="trial"' not in page.text


def test_the_list_marks_the_rule_with_the_limit_that_is_tried(tried, plain):
    whole = tried.get("/rules", params={"lang": "zh"}).text
    rows = re.findall(r"<tr>.*?</tr>", whole, re.S)
    [row] = [row for row in rows if "#trial" in row]
    assert "/rules/too_fast_step#trial" in row and "试行中" in row
    assert "1800 → <strong>45</strong> 秒" in row and 'href="/rules?tried=1"' in whole
    some = tried.get("/rules?tried=1").text
    assert re.findall(r'<td class="why"><a href="/rules/(\w+)"', some) == ["too_fast_step"]
    assert 'href="/rules"' in some and "试行" not in plain.get("/rules?lang=zh").text
    assert 'id="trial"' in tried.get("/rules/too_fast_step").text


def test_the_board_counts_trials_apart(tried, plain):
    told, other = (site.get("/api/v1/board").json() for site in (tried, plain))
    assert (told["trials"], other["trials"]) == (1, 0)
    apart = ("trials", "newest", "rate", "service")
    assert {k: v for k, v in told.items() if k not in apart} == {
        k: v for k, v in other.items() if k not in apart
    }
    assert told["standing"] == 3
    found = tried.get("/api/v1/findings", params={"rule": "too_fast_step.trial"}).json()["items"]
    assert len(found) == 1 and "trial" not in str(told["newest"])
    assert read_time(SINCE, tried.web.zone) < tried.live.runner.figures.clock_us
    page = tried.get("/board", params={"lang": "zh"}).text
    assert '<p id="trials"><a href="/rules?tried=1">试行 1</a></p>' in page
    assert '<p id="trials" hidden>' in plain.get("/board").text
