"""A rule is switched by two people: in the folder's rulebook, which keeps every other word."""

from __future__ import annotations

import re
import shutil
from functools import partial

import pytest
from court_kit import Court, csrf_in
from live_kit import COUNTY, Live

from detector.district import DistrictError, read_folder
from detector.ledger.content import content_of
from detector.live.reload import Reloader
from detector.live.switch import with_mode
from detector.overrides import MODES
from detector.shelf import rules_folder

BOOK = """# ours
[rules.too_fast_step]   # the survey
default_limit_s = 60    # seconds
mode = "on"

[[rules.same_person.exempt]]
department = "D07"
"""


@pytest.mark.parametrize("mode", MODES)
def test_one_key_is_set_and_all_else_stays(mode):
    told = with_mode(BOOK.encode(), "too_fast_step", mode).decode()
    assert told == BOOK.replace('mode = "on"', f'mode = "{mode}"')
    more = with_mode(BOOK.encode(), "same_person", mode).decode()
    assert f'[rules.same_person]\nmode = "{mode}"' in more and more.startswith(BOOK[:60])
    assert with_mode(b"", "back_entry", mode) == f'[rules.back_entry]\nmode = "{mode}"\n'.encode()


@pytest.mark.parametrize("text", [b"[rules", b"\xff", b"rules = 3", b"[rules]\ntoo_fast_step = 1"])
def test_what_cannot_be_edited_is_said(text):
    with pytest.raises(ValueError, match="mend it by hand"):
        with_mode(text, "too_fast_step", "off")


@pytest.fixture
def folder(tmp_path):
    copied = tmp_path / "county"
    shutil.copytree(COUNTY, copied)
    return copied


def test_a_switch_is_taken_or_the_folder_is_as_it_was(folder):
    live = Live(content=content_of(read_folder(folder), rules_folder(), 0))
    said: list[str] = []
    reloader = Reloader(folder, live.runner, lambda name, told: said.append(name))
    shadow, off = (partial(with_mode, rule="too_fast_step", mode=mode) for mode in MODES[1:])
    assert reloader.rewrite(shadow).changed == ["rulebook.toml"]
    modes = {c.rule.id: c.mode for c in live.runner.shard.engine.rulebook.rules}
    assert modes["too_fast_step"] == "shadow"
    before = (folder / "rulebook.toml").read_bytes()
    (folder / "district.toml").write_text("code = 1")
    with pytest.raises(DistrictError):
        reloader.rewrite(off)
    assert (folder / "rulebook.toml").read_bytes() == before
    assert said == ["district_changed", "district_refused"]
    live.stop()
    assert live.failures == []


def asked(browser, rule="too_fast_step", **fields):
    """A form of the rule's page, sent."""
    page = browser.get(f"/rules/{rule}")
    number = re.search(r'name="number" value="(\d+)"', page.text)
    more = {"number": number[1]} if number and "number" not in fields else {}
    return browser.post(f"/rules/{rule}", data={"csrf": csrf_in(page), **more, **fields})


def test_one_proposes_and_another_approves(folder, tmp_path):
    (tmp_path / "data").mkdir()
    with Court(tmp_path / "data", district=folder) as court:
        one, two = (court.account(name, "centre") for name in ("zhao", "qian"))
        other = court.account("sun", "supervisor", departments=("D01",))
        assert 'name="do"' not in other.get("/rules/too_fast_step").text
        assert other.post("/rules/too_fast_step", data={"do": "propose"}).status_code == 403
        assert asked(one, do="propose", mode="loud", reason="r").status_code == 400
        assert asked(one, do="propose", mode="shadow", reason="").status_code == 400
        assert asked(one, do="propose", mode="shadow", reason="试运行一周").status_code == 303
        assert "试运行一周" in two.get("/rules/too_fast_step").text
        assert asked(one, do="approve").status_code == 403  # nobody approves their own
        before = court.live.runner.shard.contents[-1].digest
        assert asked(two, do="approve").status_code == 303
        modes = {c.rule.id: c.mode for c in court.live.runner.shard.engine.rulebook.rules}
        assert modes["too_fast_step"] == "shadow"
        assert court.live.runner.shard.contents[-1].digest != before
        assert asked(two, do="approve", number="1").status_code == 409
        assert asked(one, do="propose", mode="on", reason="again").status_code == 303
        court.kit.later(8 * 86_400_000_000)  # a week later it is void
        assert "again" not in court.account("li", "centre").get("/rules/too_fast_step").text
        acts = [line.act for line in court.kit.audit.all() if line.act.startswith("rule.")]
        assert acts == ["rule.propose", "rule.approve", "rule.propose"]
