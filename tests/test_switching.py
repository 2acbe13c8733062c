"""A rule is switched by two people: in the folder's rulebook, which keeps every other word."""

from __future__ import annotations

import shutil

import pytest
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
    assert reloader.switch("too_fast_step", "shadow").changed == ["rulebook.toml"]
    modes = {c.rule.id: c.mode for c in live.runner.shard.engine.rulebook.rules}
    assert modes["too_fast_step"] == "shadow"
    before = (folder / "rulebook.toml").read_bytes()
    (folder / "district.toml").write_text("code = 1")
    with pytest.raises(DistrictError):
        reloader.switch("too_fast_step", "off")
    assert (folder / "rulebook.toml").read_bytes() == before
    assert said == ["district_changed", "district_refused"]
    live.stop()
    assert live.failures == []
