"""The board over a link that breaks: nothing is missed or shown twice, and the page stays."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_kit import Relay
from live_kit import event
from service import Service

pytestmark = pytest.mark.slow  # a browser, and mostly a server, of its own

BROKEN = r"ERR_|events|favicon"  # what a broken link makes a browser say


class House:
    """A server behind a relay."""

    def __init__(self, data: Path) -> None:
        self.data, self.service, self.count = data, Service(data), 0
        self.relay = Relay(self.service.port)

    def find(self, many: int = 1) -> None:
        """More findings, each of a case of its own."""
        for _ in range(many):
            self.count += 1
            case = {"case_id": f"w{self.count}w"}
            told = (
                event(f"a{self.count}", "09:00:00", "accept", **case),
                event(f"b{self.count}", "09:00:58", step="survey", operator="P0102", **case),
            )
            self.service.post(b"\n".join(json.dumps(line).encode() for line in told))

    def viewers(self) -> float:
        """How many streams are open."""
        text = self.service.ask("/metrics")[1].decode()
        found = re.search(r"^oriole_stream_viewers (\S+)$", text, re.MULTILINE)
        assert found
        return float(found[1])

    def restart(self) -> None:
        """The server ends, and begins again on the same ledger."""
        assert self.service.stop() == 0
        self.service = Service(self.data)
        self.relay.aim(self.service.port)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    one = House(tmp_path / "data")
    yield one
    one.relay.close()
    assert one.service.stop() == 0


def shown(page: Any, count: int) -> None:
    """Wait until the newest are the first so many cases, each once, on the page as it was."""
    want = sorted(f"w{n}w" for n in range(1, count + 1))
    page.wait_for_function(
        """(want) => {
          const told = [...document.querySelectorAll("#findings li")]
            .map((one) => one.textContent.match(/w\\d+w/)?.[0]);
          return JSON.stringify(told.sort()) === JSON.stringify(want);
        }""",
        arg=want,
    )
    assert page.evaluate("window.marker") == "kept"


def opened(browse: Any, house: House) -> Any:
    """The board, marked, over the relay."""
    house.find(2)
    page = browse(f"{house.relay.url}/board", size="wall")
    page.evaluate("window.marker = 'kept'")
    shown(page, 2)
    return page


@pytest.mark.parametrize("seconds", [0.3, 4.0])
def test_a_link_that_was_cut_brings_what_was_missed(house, browse, seconds):
    browse.forgive(BROKEN)
    page = opened(browse, house)
    timer = house.relay.cut_for(seconds)
    house.find(3)
    timer.join()
    shown(page, 5)
    house.find()
    shown(page, 6)


def test_a_server_that_was_restarted_is_found_again(house, browse):
    browse.forgive(BROKEN)
    page = opened(browse, house)
    house.restart()
    house.find(2)
    shown(page, 4)


def test_a_server_that_refuses_for_a_while_is_asked_again(house, browse):
    browse.forgive(BROKEN + "|503")
    page = opened(browse, house)
    refused: list[str] = []

    def refuse(route: Any) -> None:
        refused.append(route.request.url)
        route.fulfill(status=503, body="")

    page.route("**/board/events*", refuse)
    house.relay.cut_for(0.1).join()
    house.find(2)
    while not refused:
        page.wait_for_timeout(100)
    page.unroute("**/board/events*")
    shown(page, 4)


def test_a_hidden_tab_holds_no_stream_and_catches_up(house, browse):
    page = opened(browse, house)
    assert house.viewers() == 1
    hide = """(hidden) => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(hide, True)
    while house.viewers():
        page.wait_for_timeout(50)
    house.find(2)
    page.evaluate(hide, False)
    shown(page, 4)
    assert house.viewers() == 1
