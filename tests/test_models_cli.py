"""`oriole models`: the terminal tells what the interface does, in the reader's language."""

from __future__ import annotations

import json
import re

import pytest
from learning_kit import few_days, learning_folder
from service import Service
from test_cli import oriole
from test_models import NEXT, PAIR

from detector.cli.common import spoken
from replay.verify import verify


@pytest.mark.slow
def test_the_command_tells_what_the_interface_does(tmp_path):
    """On a folder and on a service the same; acts go to the service, and are proved again."""
    district, data = learning_folder(tmp_path / "district"), tmp_path / "data"
    service = Service(data, "--district", str(district))
    service.post(b"\n".join(few_days()))
    server, folder = ("--server", f"http://127.0.0.1:{service.port}"), ("--data", data)
    try:
        for words in (
            ("list",), ("history", "pace"),
            ("show", "pace", "--item", "permit", "--day", "2026-03-03"),
        ):  # fmt: skip
            asked, read = (oriole("models", *words, *of, "--json") for of in (server, folder))
            assert json.loads(asked.stdout) == json.loads(read.stdout), words
            for lang in ("zh", "en"):
                said, here = (
                    oriole("models", *words, *of, "--lang", lang).stdout for of in (server, folder)
                )
                assert said == here and ("界限" in here) == (lang == "zh"), words
        told = oriole("models", "list", *folder, "--lang", "zh").stdout
        assert "pace         最低办理时间" in told and "待批 4" in told
        told = oriole("models", "show", "pace", *folder, "--lang", "en_GB.UTF-8").stdout
        assert "Blind" in told and PAIR in told and "Limits in force 4" in told
        assert "No limit falls below 5 s." in told
        done = oriole("models", "approve", "pace", "--reason", "经核实", "--actor", "L2", *server)
        service.post((NEXT % 20).encode())
        assert "pace: approve" in done.stdout
        refused = oriole("models", "thaw", "pace", "--reason", "x", *server, code=2)
        assert "nothing stands still" in refused.stderr
        told = oriole("models", "history", "pace", *server, "--lang", "zh").stdout
        assert "批准" in told and "L2: 经核实" in told and "待批 0" in told
        oriole("models", "freeze", "pace", "--reason", "新表单", "--actor", "L2", *server)
        service.post((NEXT % 21).encode())
        for of in (server, folder):
            told = oriole("models", "list", *of, "--lang", "en").stdout
            assert re.search(r"Frozen everything frozen by \S*.*L2 at .*: 新表单", told), told
        assert "no such learner" in oriole("models", "show", "none", *folder, code=2).stderr
    finally:
        assert service.stop() == 0
    assert verify(data).fault == ""


@pytest.mark.parametrize(
    ("asked", "lang"), [("en", "en"), ("en_US.UTF-8", "en"), ("zh_CN", "zh"), ("C.UTF-8", "zh")]
)
def test_the_language_is_that_of_the_locale_and_else_chinese(asked, lang):
    assert spoken(asked) == lang
