"""Accounts, keys and the audit from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from accounts_kit import GOOD, Kit
from typer.testing import CliRunner, Result

from detector.__main__ import app
from detector.accounts.opening import FILE, open_accounts
from detector.registry import names_of


def oriole(*words: object, code: int = 0, told: str = "") -> Result:
    done = CliRunner().invoke(app, [str(word) for word in words], input=told)
    assert done.exit_code == code, (done.output, done.stderr)
    return done


@pytest.fixture
def data(tmp_path):
    return ("--data", tmp_path)


def now_of(folder: Path) -> Kit:
    """The same store, at the machine's time."""
    from detector.adapters.machine import wall_us

    return Kit(open_accounts(folder / FILE), now_us=wall_us())


def test_a_user_comes_in_by_what_was_printed_and_must_choose_anew(tmp_path, data):
    done = oriole(
        "user", "add", "Li.Wei", "--role", "supervisor", "--departments", "D02,D01", *data
    )
    kit = now_of(tmp_path)
    token, stage = kit.desk.login("li.wei", done.stdout.strip(), kit.came())
    assert stage == "password" and token
    held = kit.store.account("li.wei")
    assert held is not None and held.departments == ("D01", "D02")
    told = oriole("user", "add", "wu", "--role", "security", "--password-stdin", "--json", *data,
                  told=f"{GOOD}\n")  # fmt: skip
    assert json.loads(told.stdout) == {"name": "wu", "role": "security"}
    assert kit.desk.login("wu", GOOD, kit.came())[1] == "password"
    told = json.loads(oriole("user", "reset", "wu", "--json", *data).stdout)
    assert kit.desk.login("wu", told["password"], kit.came())[1] == "password"
    oriole("user", "disable", "li.wei", *data)
    rows = json.loads(oriole("user", "list", "--json", *data).stdout)["items"]
    assert [(one["name"], one["disabled"]) for one in rows] == [("li.wei", True), ("wu", False)]
    assert kit.desk.who(token, kit.now_us) is None
    kit.store.close()


def test_what_cannot_be_done_is_said_and_ends_with_2(data):
    for role in ("boss", "local", ""):
        assert "audit_admin" in oriole("user", "add", "x", "--role", role, *data, code=2).stderr
    oriole("user", "add", "only", "--role", "security", *data)
    assert "already" in oriole("user", "add", "Only", "--role", "admin", *data, code=2).stderr
    assert "last" in oriole("user", "disable", "only", *data, code=2).stderr
    assert "no account" in oriole("user", "reset", "nobody", *data, code=2).stderr
    assert "ledger" in oriole("user", "list", "--ledger", "http://x", code=2).stderr
    powers = oriole("key", "add", "k", "--powers", "send,lead", *data, code=2)
    assert "lead: not of system" in powers.stderr


def test_a_key_is_printed_once(tmp_path, data):
    key = oriole("key", "add", "feed", "--powers", "send", "--days", "1", *data).stdout.strip()
    kit = now_of(tmp_path)
    held = kit.registrar.key(key, kit.now_us)
    assert held is not None and held.powers == ("send",)
    listed = oriole("key", "list", "--json", *data).stdout
    assert key.split("_")[2] not in listed
    oriole("key", "revoke", json.loads(listed)["items"][0]["key_id"], *data)
    assert kit.registrar.key(key, kit.now_us) is None
    kit.store.close()


def test_the_audit_is_proved_and_a_changed_row_is_named(tmp_path, data):
    for name in ("a1", "b2", "c3"):
        oriole("user", "add", name, "--role", "admin", *data)
    told = json.loads(oriole("audit", "verify", tmp_path, "--json").stdout)
    assert told == {"sound": True, "rows": 3, "fault": ""}
    rows = json.loads(oriole("audit", "list", "--limit", "2", "--json", *data).stdout)["items"]
    assert [one["object"] for one in rows] == ["c3", "b2"]
    kit = now_of(tmp_path)
    kit.store.book._connection.execute("UPDATE audit SET object = 'z9' WHERE number = 2")
    kit.store.close()
    done = oriole("audit", "verify", tmp_path, code=1)
    assert "row 2 was changed" in done.stdout


def test_beyond_loopback_a_server_wants_accounts_and_a_name(tmp_path, data):
    told = oriole("run", "--host", "0.0.0.0", *data, code=2).stderr
    assert "oriole user add" in told and not (tmp_path / FILE).exists()
    oriole("user", "add", "li", "--role", "centre", *data)
    assert "--public-url" in oriole("run", "--host", "0.0.0.0", *data, code=2).stderr


def test_the_names_of_a_server():
    assert names_of("0.0.0.0", "https://a.example:8443/x", "") == ("a.example",)
    assert names_of("::1", "", "http://b.example") == ("[::1]", "b.example")


def test_commands_show_the_key_of_their_environment(monkeypatch):
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from threading import Thread

    seen: list[str | None] = []

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers["Authorization"])
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"items":[],"next_cursor":null}')

        def log_message(self, *told: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        for key in ("", "ork_1_2"):
            monkeypatch.setenv("ORIOLE_KEY", key)
            oriole("notice", "list", "--server", address)
        server.shutdown()
        thread.join()
    assert seen == [None, "Bearer ork_1_2"]


def test_a_backup_brings_the_accounts_along(tmp_path):
    from live_kit import ACCEPT, Live

    from detector.ledger.sqlite_file import FILE as LEDGER
    from detector.ledger.sqlite_file import open_ledger

    begun, fresh, file = tmp_path / "data", tmp_path / "fresh", tmp_path / "b"
    begun.mkdir()
    live = Live(open_ledger(begun / LEDGER))
    live.post(ACCEPT)
    live.stop()
    live.ledger.close()
    oriole("user", "add", "wu", "--role", "security", "--data", begun)
    told = json.loads(oriole("backup", file, "--data", begun, "--json").stdout)
    assert told["accounts"] == f"{file}.accounts"
    oriole("backup", file, "--data", begun, code=2)
    oriole("restore", file, "--data", fresh)
    assert (fresh / FILE).stat().st_mode & 0o777 == 0o600
    assert now_of(fresh).store.account("wu") is not None
    oriole("restore", file, "--data", fresh, code=2)
