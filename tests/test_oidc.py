"""Coming in by a real OIDC provider: npm's `oidc-provider` in a process of its own."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2
import pytest
from conftest import ON_CI, ROOT
from court_kit import V1, Court

from deploy.running import free_port
from detector.adapters.oidc import FILE, Provider, load_provider
from detector.ledger import LedgerError

pytestmark = pytest.mark.slow  # a process of node's
VERSION = "9.13.3"
FOLDER = ROOT / ".cache" / "oidc"
BACK = "http://localhost/login/oidc/back"
SECRET = "of the test"


def modules() -> Path:
    """npm's package, fetched once; a visible skip where it cannot be had, a failure on CI."""
    held = FOLDER / "node_modules"
    if not (held / "oidc-provider").is_dir():
        told = "npm is not installed: apt-get install npm"
        if shutil.which("npm"):
            FOLDER.mkdir(parents=True, exist_ok=True)
            command = ["npm", "install", "--prefix", str(FOLDER), "--no-audit", "--no-fund",
                       "--ignore-scripts", f"oidc-provider@{VERSION}"]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True, timeout=300)
            told = f"npm cannot fetch oidc-provider: {done.stderr[-300:]}"
        if not (held / "oidc-provider").is_dir():
            pytest.fail(told) if ON_CI else pytest.skip(told)
    return held


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """A provider that lets everybody in under whatever name they say."""
    held, port = modules(), free_port()
    script = Path(__file__).with_name("oidc_provider.mjs")
    command = ["node", str(script), str(held), str(port), BACK]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        assert any("ready" in line for line in process.stdout)
        yield f"http://127.0.0.1:{port}"
        process.terminate()


@pytest.fixture
def court(tmp_path, issuer):
    provider = Provider(issuer, "oriole", SECRET, "sub", "openid")
    with Court(tmp_path, {"oidc": provider, "now": _wall}) as one:
        one.kit.add("li", "centre", subject="sub-of-li")
        one.kit.add("shut", "centre", subject="sub-of-shut")
        one.kit.registrar.disable("shut", True, "test", one.kit.came())
        yield one


def _wall() -> int:
    from detector.adapters.machine import wall_us

    return wall_us()


def at_provider(url: str, name: str) -> str:
    """Log in there as somebody; the address that the browser is sent back to."""
    with httpx2.Client(follow_redirects=False) as browser:
        answer = browser.get(url)
        for _ in range(20):
            to = answer.headers.get("location")
            if to and urljoin(str(answer.url), to).startswith(BACK):
                return urljoin(str(answer.url), to)
            if to:
                answer = browser.get(urljoin(str(answer.url), to))
                continue
            action = re.search(r'<form[^>]* action="([^"]+)"', answer.text)
            prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
            assert action and prompt, answer.text
            form = {"prompt": prompt[1], "login": name, "password": "any"}
            answer = browser.post(urljoin(str(answer.url), action[1]), data=form)
    raise AssertionError("it leads nowhere")


def begun(browser: Any, going: str = "") -> str:
    """Go to the provider; its address."""
    answer = browser.get("/login/oidc" + (f"?next={going}" if going else ""))
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def test_from_the_login_there_and_back(court):
    browser = court.browser()
    assert "/login/oidc?next=%2Fnotices" in browser.get("/login?next=/notices").text.replace(
        "next=/notices", "next=%2Fnotices"
    )
    url = begun(browser, "/notices?tier=2")
    asked = parse_qs(urlsplit(url).query)
    assert asked["code_challenge_method"] == ["S256"] and asked["nonce"] and asked["state"]
    assert asked["response_type"] == ["code"] and SECRET not in url
    answer = browser.get(at_provider(url, "sub-of-li"))
    assert answer.headers["location"] == "/notices?tier=2"
    assert browser.get(f"{V1}/notices").status_code == 200
    (session,) = court.kit.store.sessions("li")
    assert session.stage == "" and court.kit.acts()[-1] == "login"


@pytest.mark.parametrize("name", ["sub-of-nobody", "sub-of-shut", "li"])
def test_whoever_has_no_account_here_stays_out(court, name):
    browser = court.browser()
    answer = browser.get(at_provider(begun(browser), name))
    assert answer.status_code == 400 and "未能确认身份" in answer.text
    assert browser.get(f"{V1}/notices").status_code == 401
    assert court.kit.acts()[-1] == "login_refused"


def test_a_code_is_worth_nothing_in_another_browser_or_a_second_time(court):
    browser, thief = court.browser(), court.browser()
    back = at_provider(begun(browser), "sub-of-li")
    assert thief.get(back).status_code == 400  # it has begun nothing
    begun(thief)
    assert thief.get(back).status_code == 400  # something else
    held = dict(browser.cookies)
    assert browser.get(back).status_code == 303
    replayed = court.browser()
    replayed.cookies.set("oriole-oidc", held["oriole-oidc"])
    assert replayed.get(back).status_code == 400


@pytest.mark.parametrize("what", ["nonce", "verifier", "issuer", "client", "late", "secret"])
def test_an_answer_that_is_not_for_us(court, issuer, what):
    browser = court.browser()
    back = at_provider(begun(browser), "sub-of-li")
    provider = court.doors.oidc
    if what in ("nonce", "verifier"):
        text = browser.cookies["oriole-oidc"]
        told = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        told[what] = "0" * len(told[what])
        held = base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")
        browser.cookies.delete("oriole-oidc")
        browser.cookies.set("oriole-oidc", held)
    elif what == "issuer":
        back = back.replace("iss=", "iss=x")
    elif what == "client":
        provider.client_id = "another"
    elif what == "secret":
        provider._secret = "another"
    else:
        wall = court.doors.now
        court.doors.now = lambda: wall() + 7_200_000_000
    assert browser.get(back).status_code == 400
    assert browser.get(f"{V1}/notices").status_code == 401


def test_a_provider_that_cannot_be_asked_is_said(court):
    court.doors.oidc.issuer = f"http://127.0.0.1:{free_port()}"
    answer = court.browser().get("/login/oidc")
    assert answer.status_code == 400 and "未能确认身份" in answer.text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("issuer = ", "cannot be read"), ('isuer = "x"', "isuer: write texts"),
        ('issuer = "https://x"', "client_id: is missing"),
        ('issuer = "http://x"\nclient_id = "a"\nsecret = "NO_SUCH"', "issuer: must be https"),
        ('issuer = "https://x"\nclient_id = "a"\nsecret = "NO_SUCH"', "secret: names no variable"),
        ('issuer = "https://x"\nclient_id = 3', "client_id: write texts"),
    ],
)  # fmt: skip
def test_mistakes_in_the_file_are_named(tmp_path, text, why):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(LedgerError, match=why):
        load_provider(tmp_path)


def test_the_file_names_its_secret(tmp_path, monkeypatch):
    assert load_provider(tmp_path) is None
    (tmp_path / FILE).write_text('issuer = "https://x"\nclient_id = "a"\nsecret = "ORIOLE_OIDC"')
    (tmp_path / "secret").write_text("s3cret\n")
    monkeypatch.setenv("ORIOLE_OIDC_FILE", str(tmp_path / "secret"))
    provider = load_provider(tmp_path)
    assert provider is not None and provider._secret == "s3cret"
