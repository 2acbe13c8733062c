"""Pages that are mostly text, in a real browser: the first page, and that of the interface."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from live_kit import ACCEPT, SURVEY
from service import Service

pytestmark = pytest.mark.slow  # a browser, and mostly a server, of its own


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server with one finding in it."""
    one = Service(tmp_path_factory.mktemp("browser"))
    one.post(b"\n".join(json.dumps(line).encode() for line in (ACCEPT, SURVEY)))
    yield one
    assert one.stop() == 0


@pytest.mark.parametrize(("size", "locale"), [("phone", "zh-CN"), ("wall", "en-GB")])
def test_the_first_page_is_quiet_and_open_to_all(browse, axe, service, size, locale):
    page = browse(f"http://127.0.0.1:{service.port}/", size=size, locale=locale)
    page.wait_for_selector("h1")
    assert page.get_attribute("html", "lang")
    assert axe(page) == []


def test_the_page_of_the_interface_is_drawn_from_our_own_files(browse, service):
    page = browse(f"http://127.0.0.1:{service.port}/api/docs")
    page.wait_for_selector(".opblock-summary-path")
    paths = [one.strip() for one in page.locator(".opblock-summary-path").all_inner_texts()]
    assert any("events" in one for one in paths) and len(paths) > 8
    assert any("swagger-ui-bundle.js" in one for one in browse.requests)
