"""A real folder is edited under a running server, and between two runs of it."""

from __future__ import annotations

import html
import shutil

import msgspec
import pytest
from live_kit import ACCEPT, COUNTY, SURVEY, event
from service import Service

from replay.verify import verify

RELOAD = "/api/v1/district/reload"


class Edited:
    """A copy of the county, and a server that judges by it."""

    def __init__(self, path):
        self.folder, self.data = path / "district", path / "data"
        shutil.copytree(COUNTY, self.folder)
        self.service = self.start()

    def start(self):
        return Service(self.data, "--district", str(self.folder))

    def edit(self, name, old, new):
        """As an editor saves: the whole file at once."""
        path = self.folder / name
        text = path.read_text()
        assert old in text
        half = path.with_suffix(".half")
        half.write_text(text.replace(old, new))
        half.replace(path)

    def post(self, *lines):
        return self.service.post(b"\n".join(map(msgspec.json.encode, lines)))

    def found(self, query):
        """(case, code, why withdrawn)"""
        _, told = self.service.ask(f"/api/v1/findings?limit=500&{query}")
        return [
            (f["case_id"], f["reason"]["code"], f["withdrawn"] and f["withdrawn"]["reason"])
            for f in told["items"]
        ]

    def digest(self):
        """Stop it, and prove its ledger."""
        assert self.service.stop() == 0
        told = verify(self.data)
        assert told.fault == ""
        return told.digest


@pytest.fixture
def edited(tmp_path):
    one = Edited(tmp_path)
    yield one
    assert one.service.stop() == 0


def until(at):
    return {"kind": "tick", "at": at}


def test_a_folder_is_edited_under_a_running_server(edited):
    """A limit, a holiday, a rule off, an item: each noticed by itself, and the events go on."""
    edited.post(ACCEPT, SURVEY, until("2026-03-20T00:00:00Z"))
    assert edited.found("rule=too_fast_step") == [("c1", "too_fast", None)]
    overdue = ("c1", "overdue", None)
    assert overdue in edited.found("rule=overdue_promise")

    edited.edit("district.toml", "off = [", 'off = ["2026-03-05", ')
    told = edited.service.until("district_changed")
    assert told["changed"] == ["district.toml", "calendar"]
    assert ("c1", "overdue", "limit_changed") in edited.found("rule=overdue_promise")
    assert overdue in edited.found("rule=overdue_promise")

    limits = "[rules.overdue_acceptance]\nlimit_wd = 9\n[rules.too_fast_step]"
    edited.edit("rulebook.toml", "[rules.too_fast_step]", limits)
    edited.service.until("district_changed", 2)
    edited.edit("rulebook.toml", 'mode = "on" ', 'mode = "off" ')
    edited.service.until("district_changed", 3)
    new = ACCEPT | {"case_id": "c2", "item": "tea_permit"}
    edited.post(new, SURVEY | {"case_id": "c2", "item": "tea_permit"})
    assert edited.found("rule=too_fast_step") == [("c1", "too_fast", None)]
    assert ("c2", "unlisted", None) in edited.found("rule=unlisted_power")

    item = '[[items]]\ncode = "tea_permit"\nname = "茶叶许可"\ntype = "01"\npromised_days = 1\n'
    (edited.folder / "catalogue/tea.toml").write_text(item)
    assert edited.service.until("district_changed", 4)["changed"] == ["catalogue/tea.toml"]
    edited.post(until("2026-05-01T00:00:00Z"))
    assert ("c2", "overdue", None) in edited.found("rule=overdue_promise&case_id=c2")

    _, ready = edited.service.ask("/readyz")
    assert ready["district_problems"] == [] and ready["content"]
    assert b"oriole_district_changes_total 4.0" in edited.service.ask("/metrics")[1]
    _, case = edited.service.ask("/api/v1/cases/c1")
    assert [e["line"]["event_id"] for e in case["events"]] == ["e1", "e2"]
    edited.service.kill()
    edited.service = edited.start()
    assert edited.digest() and edited.service.counted["district_changed"] == 0


def test_a_bad_folder_is_refused_and_the_old_one_judges_on(edited):
    edited.post(ACCEPT)
    edited.edit("rulebook.toml", 'mode = "on" ', 'mode = "loud" ')
    edited.edit("catalogue/permits.toml", "promised_days = 7", "promised_days = 70")
    told = edited.service.until("district_refused")
    edited.post(SURVEY)
    assert edited.found("rule=too_fast_step") == [("c1", "too_fast", None)]
    status, problem = edited.service.ask(RELOAD, b"")
    assert status == 422 and problem["title"] and "nothing was changed" in problem["detail"]
    assert {(p["file"], p["key"]) for p in problem["problems"]} >= {
        ("catalogue/permits.toml", "items[0].promised_days"),
        ("rulebook.toml", "rules.too_fast_step.mode"),
    }
    assert all(p["line"] and p["remedy"] for p in problem["problems"])
    _, ready = edited.service.ask("/readyz")
    assert ready["state"] == "ready" and any("(line" in p for p in ready["district_problems"])
    assert b"oriole_district_problems 0.0" not in edited.service.ask("/metrics")[1]
    assert any("permits.toml" in p for p in told["problems"] + ready["district_problems"])
    reason, remedy = '"loud" 未知', '可写 "on", "shadow", "off"'
    _, zh = edited.service.ask(RELOAD, b"", **{"Accept-Language": "zh"})
    said = {p["key"]: p for p in zh["problems"]}["rules.too_fast_step.mode"]
    assert (said["code"], said["reason"], said["remedy"]) == ("unknown", reason, remedy)
    line = f"rulebook.toml：{said['key']}：{reason}（第 {said['line']} 行）；{remedy}"
    _, ready = edited.service.ask("/readyz", **{"Accept-Language": "zh"})
    assert line in ready["district_problems"]
    assert line in html.unescape(edited.service.ask("/quality")[1].decode())

    edited.edit("catalogue/permits.toml", "promised_days = 70", "promised_days = 7")
    status, problem = edited.service.ask(RELOAD, b"")
    assert status == 422 and [p["file"] for p in problem["problems"]] == ["rulebook.toml"]
    edited.edit("rulebook.toml", 'mode = "loud" ', 'mode = "shadow" ')
    status, told = edited.service.ask(RELOAD, b"")
    ready = edited.service.ask("/readyz")[1]
    assert status == 200 and told["digest"] == ready["content"]
    assert told["changed"] == ["rulebook.toml"] or edited.service.counted["district_changed"]
    assert edited.service.ask(RELOAD, b"") == (200, {"changed": [], "digest": told["digest"]})
    assert ready["district_problems"] == []


def test_another_place_is_no_change(edited):
    edited.edit("district.toml", 'code = "', 'code = "9')
    status, problem = edited.service.ask(RELOAD, b"")
    assert status == 422
    (one,) = problem["problems"]
    assert (one["file"], one["key"]) == ("district.toml", "code") and one["line"]
    edited.edit("district.toml", 'code = "9', 'code = "')


def test_a_folder_that_was_edited_between_two_runs_is_taken_at_the_start(edited):
    edited.post(ACCEPT, SURVEY, event("z", "09:00:00", "accept", case_id="c2"))
    edited.service.stop()
    edited.edit("rulebook.toml", 'mode = "on" ', 'mode = "off" ')
    edited.service = edited.start()
    assert edited.service.until("district_changed")["changed"] == ["rulebook.toml"]
    edited.post(SURVEY | {"case_id": "c2"})
    assert edited.found("rule=too_fast_step") == [("c1", "too_fast", None)]
    edited.service.stop()
    edited.edit("rulebook.toml", 'mode = "off" ', 'mode = "loud" ')
    with pytest.raises(RuntimeError, match=r"rulebook\.toml"):
        edited.start()
    edited.edit("rulebook.toml", 'mode = "loud" ', 'mode = "off" ')
    assert edited.digest()


def test_a_backup_holds_every_change(edited, tmp_path):
    from detector.cli.ledger import _copy
    from detector.ledger.sqlite_file import FILE

    edited.post(ACCEPT, SURVEY)
    edited.edit("district.toml", "off = [", 'off = ["2026-03-05", ')
    edited.service.ask(RELOAD, b"")
    edited.post(until("2026-03-20T00:00:00Z"))
    target = tmp_path / "restored"
    target.mkdir()
    _copy(edited.data / FILE, target / FILE)
    assert verify(target).digest == edited.digest()
