"""The QR code of a secret: what is drawn is the address that stands beside it."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import urlsplit

import pytest
import segno
from court_kit import Court, csrf_in

from detector.adapters.qr import MARGIN_MODULES, svg

ADDRESS = "otpauth://totp/Oriole:li?secret=ABCDEFGH&issuer=Oriole"
STEP = re.compile(r"([Mmh])(-?[\d.]+)(?: (-?[\d.]+))?")


def drawn(image: str) -> set[tuple[int, int]]:
    """The dark modules (row, column) of an SVG, without its margin."""
    [path] = re.findall(r'stroke="#000" d="([^"]+)"', image)
    x, y, found = 0.0, 0.0, set()
    for kind, right, down in STEP.findall(path):
        if kind == "h":
            columns = range(int(x), int(x + float(right)))
            found |= {(int(y) - MARGIN_MODULES, one - MARGIN_MODULES) for one in columns}
        base = (0.0, 0.0) if kind == "M" else (x, y)
        x, y = base[0] + float(right), base[1] + float(down or 0)
    return found


def modules(text: str) -> set[tuple[int, int]]:
    """The dark modules of a text, as the library lays them out."""
    rows = segno.make(text, error="m", micro=False).matrix
    return {(y, x) for y, row in enumerate(rows) for x, dark in enumerate(row) if dark}


def test_a_text_is_drawn_module_by_module():
    assert drawn(svg(ADDRESS)) == modules(ADDRESS) != modules(ADDRESS.lower())


def test_what_is_drawn_needs_no_style_nor_script():
    image = svg(ADDRESS)
    assert image.startswith("<svg viewBox=") and image.endswith("</svg>")
    assert set(re.findall(r" ([a-z:]+)=", image, re.IGNORECASE)) == {
        "viewBox", "fill", "stroke", "d",
    }  # fmt: skip


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_page_shows_the_code_of_its_own_address(tmp_path, lang):
    with Court(tmp_path) as court:
        browser = court.account("li", "centre")
        token = csrf_in(browser.get("/account"))
        assert "<svg viewBox" not in browser.get("/account").text.partition("<main")[2]
        page = browser.post(f"/account/codes?lang={lang}", data={"csrf": token})
        address = unescape(re.findall(r"otpauth://[^<]+", page.text)[0])
        [image] = re.findall(
            r'<div class="qr" role="img" aria-label="[^"]+">(<svg.+?</svg>)', page.text
        )
        assert drawn(image) == modules(address)
        assert "style=" not in page.text and "default-src 'self'" in page.headers[
            "content-security-policy"]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_code_is_seen_by_everybody_on_a_strict_page(driver, axe, tmp_path, lang):
    with Court(tmp_path) as court:
        browser = court.account("li", "centre")
        token = csrf_in(browser.get("/account"))

        def fulfil(route):  # what the web answers, to a real browser
            path = urlsplit(route.request.url).path
            told = browser.post(f"/account/codes?lang={lang}", data={"csrf": token}) \
                if path == "/account/codes" else browser.get(path)  # fmt: skip
            route.fulfill(status=told.status_code, headers=dict(told.headers), body=told.content)

        driver.wake()
        context = driver.browser().new_context(color_scheme="dark")
        try:
            page, said = context.new_page(), []
            page.on("console", lambda line: said.append(line.text))
            page.route("**/*", fulfil)
            page.goto("http://localhost/account/codes")
            box = page.locator(".qr svg").bounding_box()
            assert box["width"] == box["height"] > 150
            assert axe(page) == [] and said == []
            page.screenshot(path=tmp_path / "qr.png")
        finally:
            context.close()
            driver.rest()
