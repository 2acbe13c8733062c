"""The threshold explorer in a real browser: slid by keys, asking nothing, on any screen."""

from __future__ import annotations

import pytest
from screens_kit import county_screens

pytestmark = pytest.mark.slow
PAGE = "/rules/too_fast_step/thresholds"


@pytest.fixture(scope="module")
def screens():
    yield from county_screens()


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
def test_a_limit_is_slid_by_keys_and_nothing_is_asked(browse, axe, screens, locale):
    page = browse(f"{screens.url}{PAGE}?lang={locale[:2]}", locale=locale)
    told = screens.get(f"/api/v1{PAGE}").json()
    page.wait_for_selector("#slide:not([hidden])")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    before = page.text_content("#said")
    place = told["in_force"]
    bars = page.locator("#weeks rect").count()
    for step in range(1, 31):
        page.press("#range", "ArrowRight")
        page.wait_for_function(
            "([n]) => document.getElementById('at').value === String(n)",
            arg=[told["limits"][place + step]],
        )
    said = page.text_content("#said")
    assert said != before and f"{told['totals'][place + 30]}" in said
    assert page.get_attribute("#range", "aria-valuetext").startswith(
        f"{told['limits'][place + 30]:g}"
    )
    shown = page.locator("#departments td:nth-child(2)").all_text_contents()
    assert shown == [str(n) for n in told["by_department"][place + 30]]
    assert page.locator("#weeks rect").count() == bars == len(told["weeks"])
    inside = page.locator("#inside tr td:first-child").all_text_contents()
    wanted = screens.get(f"/api/v1{PAGE}?at={told['limits'][place + 30]}").json()["at"][0]["inside"]
    values = [float(one.split()[0].replace(",", "")) for one in inside]
    assert values == [one["value"] for one in wanted]
    assert asked == [] and axe(page) == []


@pytest.mark.parametrize("size", ["phone", "desk", "wall"])
def test_it_fits_every_screen(browse, screens, size):
    page = browse(f"{screens.url}{PAGE}?at=90", size=size)
    page.wait_for_selector("#slide:not([hidden])")
    wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1], wide
