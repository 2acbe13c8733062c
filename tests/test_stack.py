"""The cluster as processes of one machine: who is ready, who died and why, and that all ends."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from conftest import need
from test_servers import listening

from deploy.running import Ended, Running
from deploy.servers import Kafka, Postgres, Redis
from deploy.stack import READY, Child, Stack, _run


def python(code: str, log: Path) -> Running:
    """A process of a few words."""
    return Running("it", [sys.executable, "-uc", code], READY, log)


def test_a_word_of_the_log_makes_ready(tmp_path):
    code = "print('already there'); print('{\"event\": \"ready\"}'); import time; time.sleep(60)"
    it = python(code, tmp_path / "log")
    it.wait_ready()
    assert it.alive
    assert it.stop() == -15
    it.kill()
    assert (tmp_path / "log").read_text() == 'already there\n{"event": "ready"}\n'


def test_a_process_that_ends_before_says_its_last_lines(tmp_path):
    it = python("print('already bad'); raise SystemExit(3)", tmp_path / "log")
    with pytest.raises(Ended, match=r"^it ended with 3\nalready bad\n$"):
        it.wait_ready()


def test_a_child_is_the_command_line_with_its_environment(tmp_path):
    child = Child("help", ["migrate", "--help"], tmp_path / "log", {"COLUMNS": "200"})
    child.launch()
    child.finish()
    assert "Make the tables" in (tmp_path / "log").read_text() and not child.alive
    bad = Child("bad", ["nonesuch"], tmp_path / "log", {})
    bad.launch()
    with pytest.raises(Ended, match=r"(?s)^bad ended with 2\n.*nonesuch"):
        bad.finish()


def test_the_children_of_a_stack_are_those_of_compose(tmp_path):
    stack = Stack(tmp_path, port=21_000, session_timeout_s=2, clock="events")
    told = [" ".join(child.words) for child in stack.children.values()]
    assert told == [
        "worker --shard case --session-timeout-s 2",
        "worker --shard case --session-timeout-s 2",
        "worker --shard operator --session-timeout-s 2",
        "worker --shard department --session-timeout-s 2",
        "serve --port 21000 --clock events",
        "deliver --server http://127.0.0.1:21000",
    ]
    assert stack.environment["ORIOLE_BROKER"] == stack.kafka.address


class Stillborn(Stack):
    """Its migration does nothing, its children know no word."""

    def _words(self, name: str) -> list[str]:
        return ["--version"] if name == "migrate" else ["nonesuch"]


@pytest.mark.slow
def test_a_child_that_dies_at_its_start_is_named_and_all_ends(capsys):
    for kind in (Kafka, Redis, Postgres):
        need(kind)
    stack = Stillborn()
    assert _run(stack) == 1
    told = capsys.readouterr().err
    assert told.startswith("case-1 ended with 2\n") and "nonesuch" in told
    ports = (stack.kafka.port, stack.redis.port, stack.postgres.port)
    assert not any(map(listening, ports)) and not stack.data.exists()
