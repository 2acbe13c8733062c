"""The demo's month: limits are published day by day, one drifts, and two people try another."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from accounts_kit import Kit
from live_kit import COUNTY, Live
from screens_kit import Screens

from detector import demo
from detector.accounts.opening import FILE, open_accounts
from detector.demo_trial import ADOPT_US, HOURS_US, RULE, SETTING, TUESDAY_US, Pair
from detector.district import District, load_district, read_folder
from detector.learning.epochs import Epoch
from detector.ledger.content import content_of
from detector.live.limits import limits_of
from detector.live.outside import Limits
from detector.live.reload import Reloader
from detector.live.shard import counting
from detector.shelf import rules_folder
from detector.values import DAY_US, iso_time
from detector.web.doors import Doors
from detector.web.pages.switching import Switching
from detector.web.readers import Readers
from detector.web.who import Who

CASES, FEW = 4_000, 500
BEGAN_US = demo.BEGIN_US - 21 * DAY_US
VIEWER = Who("P0805", "centre")


class Month:
    """The demo without its terminal: a feeder over a live engine, a folder, and the two people."""

    def __init__(self, folder: Path, cases: int) -> None:
        district = demo.learning_county(COUNTY, folder / "district")
        content = content_of(read_folder(district), rules_folder(), BEGAN_US)
        self.live = Live(content=content, kind=counting, limits=Limits())
        runner = self.live.runner
        self.kit = Kit(open_accounts(folder / FILE))
        self.doors = Doors(self.kit.registrar, now=lambda: self.kit.now_us)
        self.readers = Readers(self.live.ledger.reader)
        self.refused: list[dict[str, Any]] = []
        self.reloader = Reloader(district, runner, lambda what, told: None)
        self.switching = Switching(
            self.reloader, self.doors, lambda: runner.shard.engine,
            lambda: runner.figures.clock_us, self.readers,
        )  # fmt: skip
        self.feeder = demo.Feeder(
            county(cases), runner, 1, lambda: 0.0, Pair(self.switching, self._refused)
        )

    def _refused(self, what: str, **told: Any) -> None:
        self.refused.append({"what": what, **told})

    def limit(self) -> object:
        """The limit in force that is tried."""
        live = self.live.runner.shard.engine.rulebook.live
        held = next(c for c in live if c.rule.id == RULE)
        return next(one.value for one in limits_of(held) if one.name == SETTING)

    def found(self) -> Counter[str]:
        """How many findings of the rule and of its trial."""
        return Counter(f.rule for f in self.live.findings().values() if f.rule.startswith(RULE))

    def close(self) -> None:
        """End all."""
        self.live.stop()
        self.readers.close()
        self.doors.close()
        self.kit.store.close()
        assert self.live.failures == []


_HELD: dict[int, demo.County] = {}


def county(cases: int) -> demo.County:
    """The demo's county, smaller."""
    if cases not in _HELD:
        _HELD[cases] = demo.make_county(_district(), cases)
    return _HELD[cases]


def _district() -> District:
    return load_district(COUNTY)


def _local(day: int) -> str:
    """The local day of an epoch."""
    return iso_time(day * DAY_US)[:10]


def test_a_month_publishes_limits_freezes_one_and_adopts_one_that_two_people_tried(tmp_path):
    month = Month(tmp_path, CASES)
    for day in range(1, 36):
        month.feeder.until(BEGAN_US + day * DAY_US)
        if BEGAN_US + day * DAY_US < ADOPT_US:
            assert month.limit() == 60  # on trial it is in force for nobody
    assert month.limit() == 90 and month.refused == []
    rows = [r for r in month.live.ledger.all_epochs() if r.learner == "pace"]
    epochs = [msgspec.json.decode(row.doc, type=Epoch) for row in rows]
    published = {_local(one.day) for one in epochs if one.cause == "day" and one.changed}
    assert len(published) >= 15, published  # every working day that teaches something
    frozen = [(_local(one.day), set(one.frozen)) for one in epochs if one.cause == "freeze"]
    assert frozen[0] == ("2026-02-05", {"permit"})
    with Screens(month.live) as screens:
        page = screens.get("/models", params={"lang": "zh"}).text
        screens.browser.close()
    assert (
        "系统于 2026-02-05 00:00 自动冻结" in page
        and "居中的一件：2026-01-28 之前的 15 天为" in page
    )
    assert not re.search("milli|bits|middle", page)
    adopted, tried = asyncio.run(month.switching.settled_of(RULE))
    assert (tried.proposal.by, tried.by) == ("P0804", "P0806") == (adopted.proposal.by, adopted.by)
    dates = [str(at)[:16] for one in (tried, adopted) for at in (one.proposal.at, one.at)]
    assert dates == [
        "2026-01-20T02:00", "2026-01-20T07:00", "2026-01-28T02:00", "2026-01-28T07:00",
    ]  # fmt: skip
    assert (tried.proposal.before, tried.proposal.value) == ("60", "90")
    told = adopted.proposal
    assert told.limits == "default_limit_s 60 → 90" and told.only_live == "0"
    assert int(told.only_trial) >= 1 and int(told.found) == int(told.live) + int(told.only_trial)
    month.close()


def test_what_is_judged_by_which_limit_does_not_depend_on_the_speed(tmp_path):
    digests, found = set(), set()
    for name, stride in (("slow", DAY_US // 5), ("fast", 9 * DAY_US)):
        (tmp_path / name).mkdir()
        month = Month(tmp_path / name, FEW)
        for at in (*range(BEGAN_US, ADOPT_US, stride), ADOPT_US + DAY_US):
            month.feeder.until(at)
        digests.add(month.live.digest_of_findings())
        found.add(tuple(month.found().items()))
        assert month.limit() == 90
        month.close()
    assert len(digests) == len(found) == 1


@pytest.mark.parametrize("drops", ["proposal", "trial"])
def test_who_was_faster_is_logged_and_the_demo_goes_on(tmp_path, drops):
    month, me = Month(tmp_path, FEW), VIEWER
    month.feeder.until(TUESDAY_US + (0 if drops == "proposal" else HOURS_US))
    if drops == "proposal":
        number = str(asyncio.run(month.switching.open_of(RULE))[0].number)
        asyncio.run(month.switching.take({}, me, RULE, {"do": "drop", "number": number}))
    else:
        other = Who("P0801", "centre")
        told = {"do": "propose", "trial": "end", "reason": "r"}
        asyncio.run(month.switching.take({}, me, RULE, told))
        number = str(asyncio.run(month.switching.open_of(RULE))[0].number)
        asyncio.run(month.switching.take({}, other, RULE, {"do": "approve", "number": number}))
    month.feeder.until(ADOPT_US + DAY_US)
    assert month.limit() == 60
    assert [one["by"] for one in month.refused] == (
        ["P0806", "P0804", "P0806"] if drops == "proposal" else ["P0804", "P0806"]
    )
    month.close()


def test_a_demo_that_is_begun_again_does_not_act_twice(tmp_path):
    month = Month(tmp_path, FEW)
    month.feeder.until(ADOPT_US + DAY_US)
    again = demo.Feeder(
        county(FEW), month.live.runner, 1, lambda: 0.0, Pair(month.switching, month._refused)
    )
    again.until(ADOPT_US + DAY_US)
    acts = [line.act for line in month.kit.audit.all() if line.act.startswith("rule.")]
    assert acts == ["rule.propose", "rule.approve"] * 2 and month.refused == []
    month.close()
