"""Pictures of every page into a folder: `python tests/shots.py docs/screens` (make screens)."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from browser_kit import CHROMIUM, SIZES
from playwright.sync_api import sync_playwright
from screens_kit import Screens, county_screens
from test_demo import BEGAN_US, CASES, Month

from detector.demo_trial import RULE, TUESDAY_US
from detector.notice import allowed
from detector.values import DAY_US
from detector.web.links import Link

QUALITY = 72  # of JPEG
LANGUAGES = ("zh", "en")
WHOLE = (
    "notice",
    "finding",
    "case",
    "rule",
    "answer",
    "person",
    "model",
    "learned",
    "demo-trial",
    "demo-adopted",
)  # to their end
Shots = list[tuple[str, str, tuple[str, ...]]]  # name, address, sizes of each picture


def shots_of(screens: Screens) -> Shots:
    """Those of the county."""
    finding = screens.findings(rule="overdue_promise", state="stands")[0]
    case = screens.findings(rule="overdue_procedure")[0]["case_id"]
    rows = [row for row in screens.notices() if allowed("answer", row.state)]
    notice = next(row for row in rows if row.tier >= 2 and row.department == "D01")
    assert screens.web.links is not None
    issues = msgspec.json.decode(notice.doc)["issues"]
    token = screens.web.links.token(Link(notice.notice_id, "P0105", issues))
    learned = screens.findings(rule="unusually_fast")[0]["finding_id"]
    person = next(one for one in screens.findings() if one["operator"])["operator"]
    every, usual = tuple(SIZES), ("desk", "phone")
    return [
        ("board", "/board", every), ("notices", "/notices?state=open", ("desk",)),
        ("notice", f"/notices/{notice.notice_id}", usual), ("findings", "/findings", ("desk",)),
        ("finding", f"/findings/{finding['finding_id']}", usual), ("case", f"/cases/{case}", usual),
        ("department", "/departments/D01", ("desk",)),
        ("person", f"/operators/{person}", ("desk",)),
        ("rules", "/rules", ("desk",)), ("rule", "/rules/too_fast_step", ("desk",)),
        ("models", "/models", ("desk",)), ("model", "/models/pace", usual),
        ("learned", f"/findings/{learned}", ("desk",)),
        ("thresholds", "/rules/too_fast_step/thresholds?at=90", usual),
        ("quality", "/quality", ("desk",)), ("answer", f"/n/{token}", ("phone",)),
    ]  # fmt: skip


def demo_shots(folder: Path) -> int:
    """The demo's county with a limit on trial, and after its month; how many pictures."""
    rule = f"/rules/{RULE}"
    with TemporaryDirectory() as home:
        month, many = Month(Path(home), CASES), 0
        web = {"district": month.reloader, "doors": month.doors}
        for until, shots in (
            (TUESDAY_US + 7 * DAY_US, [("demo-trial", rule)]),
            (BEGAN_US + 35 * DAY_US, [("demo-pace", "/models/pace"), ("demo-adopted", rule)]),
        ):
            month.feeder.until(until)
            with Screens(month.live, **web) as screens:
                many += take(screens, folder, [(*one, ("desk",)) for one in shots])
                screens.browser.close()
        month.close()
    return many


def take(screens: Screens, folder: Path, shots: Shots) -> int:
    """Take all of them; how many."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        many = _taken(browser, screens, folder, shots)
        browser.close()
    return many


def _taken(browser: Any, screens: Screens, folder: Path, shots: Shots) -> int:
    many = 0
    for name, address, sizes in shots:
        for size in sizes:
            for lang in LANGUAGES if size in ("desk", "phone") else LANGUAGES[:1]:
                width, height = SIZES[size]
                page = browser.new_page(viewport={"width": width, "height": height})
                page.add_init_script("localStorage.setItem('tour', 'seen')")
                mark = "&" if "?" in address else "?"
                page.goto(f"{screens.url}{address}{mark}lang={lang}")
                if name == "board":
                    page.wait_for_selector('#link[data-state="live"]')
                page.evaluate("document.fonts.ready")
                file = folder / f"{name}-{width}-{lang}.jpg"
                whole = name in WHOLE
                page.screenshot(path=file, type="jpeg", quality=QUALITY, full_page=whole)
                page.close()
                many += 1
    return many


def main() -> None:
    """Write the pictures, and nothing else, into the folder."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.jpg"):
        old.unlink()
    many = demo_shots(folder)
    for screens in county_screens():
        many += take(screens, folder, shots_of(screens))
    print(f"{many} pictures in {folder}")


if __name__ == "__main__":
    main()
