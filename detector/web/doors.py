"""How whoever comes is known: by a session's cookie, by a key, or as the local administrator.

Looking somebody up is a question to the store, asked in threads of its own, and for keys once in a
moment; hashes of passwords are
made in two more, so that a hundred logins at once cost the others nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Scope

from detector.accounts import Account, Key, Session
from detector.accounts.audit import Deed
from detector.accounts.bucket import Buckets
from detector.accounts.desk import Came
from detector.accounts.registrar import Registrar
from detector.adapters import machine
from detector.adapters.oidc import Provider
from detector.web.guard import is_loopback
from detector.web.problems import Problem
from detector.web.who import LOCAL_ADMIN, WHO, Who

T = TypeVar("T")
TOKEN, SESSION = "oriole.token", "oriole.session"  # where a scope says by what somebody came
KEY_ROLE_PREFIX = "key:"
AGENT_CHARS_MAX = 120
MOMENT_S = 0.05  # to ask the store costs two turns of threads, which hurts where many ask at once
HELD_MAX = 1_000


class _Held(NamedTuple):
    """What the store answered."""

    begun: float  # when it was asked, seconds of the loop's clock
    writes: int  # of this process, at that time
    answer: Any


@dataclass
class Doors:
    """What is asked of the store for each request."""

    registrar: Registrar
    alone: bool = True  # while there is no account and no key, whoever comes is the administrator
    behind_proxy: bool = False  # its word about addresses and https counts
    public_url: str = ""  # by which browsers come, where that is not as it seems here
    oidc: Provider | None = None
    now: Callable[[], int] = machine.wall_us
    buckets: Buckets = field(default_factory=Buckets)

    def __post_init__(self) -> None:
        self._looks = ThreadPoolExecutor(4, "doors")
        self._hashes = ThreadPoolExecutor(2, "hashes")
        self._held: dict[str, _Held] = {}
        self._asked: dict[str, asyncio.Task[Any]] = {}  # what the store is being asked

    def close(self) -> None:
        """Let what was asked end."""
        self._looks.shutdown(wait=True, cancel_futures=True)
        self._hashes.shutdown(wait=True, cancel_futures=True)

    async def ask(self, call: Callable[..., T], *told: Any) -> T:
        """Ask the store, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._looks, call, *told)

    async def hash(self, call: Callable[..., T], *told: Any) -> T:
        """Something that makes or compares a password's hash, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._hashes, call, *told)

    # -- who comes --------------------------------------------------------------------------------

    async def who(self, scope: Scope) -> Who | None:
        """Who asks; None where nobody has come in. Raises `Problem`."""
        shown = HTTPConnection(scope).headers.get("authorization")
        if shown is not None:
            return await self._by_key(shown)
        token = self.token(scope)
        if token:
            found = await self.ask(self.registrar.desk.who, token, self.now())
            if found:
                scope[TOKEN], scope[SESSION] = token, found[0]
                return who_is(found[1])
        if self.alone and await self._again("", self.registrar.store.empty):
            return LOCAL_ADMIN
        return None

    async def _by_key(self, shown: str) -> Who:
        scheme, _, told = shown.partition(" ")
        key = None
        if scheme.lower() == "bearer":
            key = await self._again(told.strip(), self._key, told.strip())
        if key is None or (key.expires_us is not None and self.now() >= key.expires_us):
            fault = Problem(401, "key_none")
            fault.headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            raise fault
        wait = self.buckets.take(key.key_id, key.per_minute, asyncio.get_running_loop().time())
        if wait:
            raise Problem(429, "key_too_often", retry_after_s=wait)
        return Who(
            KEY_ROLE_PREFIX + key.name, key.role, key.departments, powers=frozenset(key.powers)
        )

    def _key(self, told: str) -> Key | None:
        return self.registrar.key(told, self.now())

    async def _again(self, name: str, call: Callable[..., T], *told: Any) -> T:
        """As `ask`; who asks the same within a moment is answered from memory, unless something
        was written from here meanwhile. What another process writes counts after that moment. In
        the second half of it the store is asked ahead, so that who asks on and on never waits."""
        held, writes = self._held.get(name), self.registrar.store.book.writes
        age = MOMENT_S if held is None else asyncio.get_running_loop().time() - held.begun
        if held is None or held.writes != writes or age >= MOMENT_S:
            answer: T = await self._held_anew(name, call, *told)
            return answer
        if age >= MOMENT_S / 2 and name not in self._asked:
            task = asyncio.create_task(self._held_anew(name, call, *told))
            self._asked[name] = task
            task.add_done_callback(lambda done: self._asked_ahead(name, done))
        answer = held.answer
        return answer

    async def _held_anew(self, name: str, call: Callable[..., T], *told: Any) -> T:
        begun, writes = asyncio.get_running_loop().time(), self.registrar.store.book.writes
        answer = await self.ask(call, *told)
        if answer:  # a refusal is looked at anew
            if len(self._held) >= HELD_MAX:
                self._held.clear()
            self._held[name] = _Held(begun, writes, answer)
        return answer

    def _asked_ahead(self, name: str, done: asyncio.Task[Any]) -> None:
        del self._asked[name]
        if done.cancelled() or done.exception() is not None or not done.result():
            self._held.pop(name, None)  # whoever comes next asks, and is told why

    async def still(self, scope: Scope) -> bool:
        """Whether whoever opened a stream may still see it."""
        try:
            return await self.who(scope) == scope.get(WHO)
        except Problem:
            return False

    def came(self, scope: Scope) -> Came:
        """From where a request comes, and when."""
        agent = HTTPConnection(scope).headers.get("user-agent", "")
        return Came(self.now(), self.address(scope), agent[:AGENT_CHARS_MAX])

    def address(self, scope: Scope) -> str:
        """The address that a request comes from."""
        if self.behind_proxy:
            told = HTTPConnection(scope).headers.get("x-forwarded-for", "")
            last = told.rpartition(",")[2].strip()
            if last:
                return last[:64]
        client = scope.get("client")
        return str(client[0]) if client else ""

    def near(self, scope: Scope) -> bool:
        """Is it a program of this machine itself, and no proxy that speaks for somebody else."""
        told = HTTPConnection(scope).headers
        client = scope.get("client")
        spoken_for = "x-forwarded-for" in told or "forwarded" in told
        return client is not None and is_loopback(str(client[0])) and not spoken_for

    # -- cookies ----------------------------------------------------------------------------------

    def secure(self, scope: Scope) -> bool:
        """Did the browser come by https."""
        told = HTTPConnection(scope).headers.get("x-forwarded-proto", "")
        public = self.public_url.startswith("https:")
        return public or scope["scheme"] == "https" or (self.behind_proxy and told == "https")

    def token(self, scope: Scope) -> str:
        """What the browser holds, "" where it is nothing."""
        return HTTPConnection(scope).cookies.get(_cookie(self.secure(scope)), "")

    def give(self, response: Response, scope: Scope, token: str) -> Response:
        """Let the browser hold a session; "" takes it away."""
        secure = self.secure(scope)
        response.set_cookie(
            _cookie(secure), token, httponly=True, secure=secure, samesite="lax", path="/",
            max_age=None if token else 0,
        )  # fmt: skip
        response.headers["Cache-Control"] = "no-store"
        return response

    # -- the audit --------------------------------------------------------------------------------

    async def tell(
        self, scope: Scope, who: Who | None, act: str, what: str, outcome: str = "done"
    ) -> None:
        """A row of the audit. Raises `LedgerError`."""
        account, role = (who.account, who.role) if who else ("", "")
        deed = Deed(self.now(), account, role, act, what, outcome, self.address(scope))
        await self.ask(self.registrar.audit.write, deed)


def who_is(account: Account) -> Who:
    """An account as whoever asks."""
    return Who(account.name, account.role, account.departments, account.person)


def _cookie(secure: bool) -> str:
    return "__Host-oriole" if secure else "oriole"


# --- forms of other sites -------------------------------------------------------------------------


def csrf_of(scope: Scope) -> str:
    """What a page's forms and programs must show besides the cookie; "" where there is none."""
    token = scope.get(TOKEN)
    return hmac.digest(token.encode(), b"oriole csrf", "sha256").hex() if token else ""


def is_csrf(scope: Scope, told: str) -> bool:
    """Whether it is what the page was given. Without a session there is nothing to be misused."""
    want = csrf_of(scope)
    return not want or hmac.compare_digest(
        hashlib.sha256(want.encode()).digest(), hashlib.sha256(told.encode("utf-8")).digest()
    )


def session_of(scope: Scope) -> Session | None:
    """By which session somebody came."""
    found: Session | None = scope.get(SESSION)
    return found
