"""Coming in: name and password, one-time code, forced first password, and how a session lives.

Whatever is wrong with a name or password is answered alike and takes as long. A session that is not
through all stages shows nothing but the page of its next stage.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec

from detector.accounts import CODE, PASSWORD, Account, Chance, Refused, Session, codes, throttle
from detector.accounts.audit import Audit, Deed
from detector.accounts.passwords import OLD_KEPT, Passwords, weakness
from detector.accounts.store import Store

MINUTE_US, DAY_US = 60_000_000, 86_400_000_000
IDLE_US = 60 * MINUTE_US
WHOLE_US = 12 * 60 * MINUTE_US
HALF_US = 10 * MINUTE_US  # of a session that still lacks a stage
GIVEN_US = 7 * DAY_US  # how long a password that was given out serves
TEXT_MAX = 120


@dataclass(frozen=True)
class Came:
    """From where somebody comes, and when."""

    now_us: int
    address: str = ""
    agent: str = ""


def hashed(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


class Desk:
    """Lets people in and out. All raise `Refused`, and `LedgerError` where the store fails."""

    def __init__(self, store: Store, audit: Audit, passwords: Passwords, chance: Chance) -> None:
        self.store, self.audit, self.passwords, self.chance = store, audit, passwords, chance

    # -- coming in --------------------------------------------------------------------------------

    def login(self, name: str, password: str, came: Came) -> tuple[str, str]:
        """(token, stage) of a new session."""
        name = tidy(name)
        throttle.admit(self.store, name, came.address, came.now_us)
        account = self.store.account(name)
        fits = self.passwords.fits(password, account.password if account else "")
        if account is None or not fits or account.disabled or _stale(account, came.now_us):
            self._tell(account, name, "login_refused", came, "refused")
            raise Refused("wrong", "name or password is wrong")
        throttle.succeeded(self.store, name, came.address, came.now_us)
        return self.admit(account, came, CODE if account.totp else _last_stage(account))

    def admit(self, account: Account, came: Came, stage: str = "") -> tuple[str, str]:
        """A session of whoever has shown who they are; (token, stage)."""
        token = self.chance(32)
        one = Session(
            hashed(token), account.name, stage, came.now_us, came.now_us, came.address,
            came.agent[:TEXT_MAX],
        )  # fmt: skip
        with self.store.book.write():
            self.store.begin(one, came.now_us - WHOLE_US)
            self._tell(account, account.name, "login", came, stage or "done")
        return token, stage

    def code(self, token: str, code: str, came: Came) -> str:
        """Take a one-time or recovery code; the session's next stage."""
        session, account = self._halfway(token, CODE, came.now_us)
        throttle.admit(self.store, "code:" + account.name, came.address, came.now_us)
        if not self._takes(account.name, code, came.now_us):
            self._tell(account, account.name, "code_refused", came, "refused")
            raise Refused("wrong_code", "this is not the code of now, or it was used before")
        throttle.succeeded(self.store, "code:" + account.name, came.address, came.now_us)
        stage = _last_stage(account)
        self.store.seen(session.token, came.now_us, stage)
        return stage

    def _takes(self, name: str, code: str, now_us: int) -> bool:
        """Whether a code is good; it is not a second time."""
        with self.store.book.write():
            account = self.store.account(name)  # once more: a code may come twice at once
            if account is None or not account.totp:
                return False
            step = codes.step_of(account.totp, code, now_us, account.totp_step)
            if step is None:
                return self.store.use_recovery(name, codes.hashed(code))
            self.store.change(msgspec.structs.replace(account, totp_step=step))
            return True

    def first_password(self, token: str, new: str, came: Came) -> str:
        """The password of one's own in place of the one given out; the token of a session."""
        _, account = self._halfway(token, PASSWORD, came.now_us)
        return self._set(account, new, came)

    def change_password(self, name: str, old: str, new: str, came: Came) -> str:
        """Another password, by whoever knows the one of now; the token of a new session, for all
        others have ended."""
        throttle.admit(self.store, name, came.address, came.now_us)
        account = self.store.account(name)
        if account is None or not self.passwords.fits(old, account.password):
            self._tell(account, name, "password_refused", came, "refused")
            raise Refused("wrong", "the password of now is another one")
        throttle.succeeded(self.store, name, came.address, came.now_us)
        return self._set(account, new, came)

    def _set(self, account: Account, new: str, came: Came) -> str:
        name = account.name
        fault = weakness(new, (name, account.person))
        if fault:
            raise Refused(fault, "the password is too weak")
        held = [account.password, *self.store.old_passwords(name, OLD_KEPT)]
        if any(self.passwords.fits(new, one) for one in held if one):
            raise Refused("used_before", "this password was used before")
        made = self.passwords.hash(new)
        with self.store.book.write():
            now = self.store.account(name)
            if now is None or now.disabled or now.password != account.password:
                raise Refused("ended", "the account has changed meanwhile; come in again")
            changed = msgspec.structs.replace(
                now, password=made, password_us=came.now_us, must_change=False
            )
            self.store.change(changed)
            self.store.keep_password(name, came.now_us, made)
            self.store.end_all(name)
            self._tell(changed, name, "password_changed", came, "done")
            token, _ = self.admit(changed, came)
        return token

    # -- being in ---------------------------------------------------------------------------------

    def who(self, token: str, now_us: int) -> tuple[Session, Account] | None:
        """The session of a token and whose it is; None where it is none, or has ended."""
        session = self.store.session(hashed(token))
        if session is None:
            return None
        whole = HALF_US if session.stage else WHOLE_US
        account = self.store.account(session.account)
        late = now_us - session.begun_us > whole or now_us - session.seen_us > IDLE_US
        if account is None or account.disabled or late:
            self.store.end(session.token)
            return None
        if now_us - session.seen_us > MINUTE_US:
            self.store.seen(session.token, now_us, session.stage)
        return session, account

    def logout(self, token: str, came: Came) -> None:
        """End a session."""
        found = self.who(token, came.now_us)
        if found and self.store.end(found[0].token):
            self._tell(found[1], found[1].name, "logout", came, "done")

    def end_one(self, name: str, session: str, came: Came) -> None:
        """End one of an account's sessions, by its hash."""
        mine = self.store.session(session)
        if mine is None or mine.account != name:
            raise Refused("none", "there is no such session")
        self.store.end(session)
        self._tell(self.store.account(name), name, "session_ended", came, "done")

    # -- one-time codes ---------------------------------------------------------------------------

    def enrol(self, name: str, secret: str, code: str, came: Came) -> list[str]:
        """One-time codes from now on, if whoever asks can make one; fresh recovery codes."""
        step = codes.step_of(secret, code, came.now_us, 0)
        if step is None:
            raise Refused("wrong_code", "this is not the code of now")
        fresh = codes.recovery(self.chance)
        with self.store.book.write():
            account = self.store.account(name)
            if account is None or account.totp:
                raise Refused("none", "one-time codes are on already")
            self.store.change(msgspec.structs.replace(account, totp=secret, totp_step=step))
            self.store.set_recovery(name, [codes.hashed(one) for one in fresh])
            self._tell(account, name, "codes_on", came, "done")
        return fresh

    def no_codes(self, name: str, code: str, came: Came) -> None:
        """No one-time codes any more, by whoever can make one."""
        throttle.admit(self.store, "code:" + name, came.address, came.now_us)
        if not self._takes(name, code, came.now_us):
            raise Refused("wrong_code", "this is not the code of now, or it was used before")
        throttle.succeeded(self.store, "code:" + name, came.address, came.now_us)
        with self.store.book.write():
            account = self.store.account(name)
            assert account is not None
            self.store.change(msgspec.structs.replace(account, totp="", totp_step=0))
            self.store.set_recovery(name, [])
            self._tell(account, name, "codes_off", came, "done")

    # -- within -----------------------------------------------------------------------------------

    def _halfway(self, token: str, stage: str, now_us: int) -> tuple[Session, Account]:
        found = self.who(token, now_us)
        if found is None or found[0].stage != stage:
            raise Refused("ended", "the session has ended; come in again")
        return found

    def _tell(self, account: Account | None, name: str, act: str, came: Came, outcome: str) -> None:
        role = account.role if account else ""
        self.audit.write(Deed(came.now_us, name, role, act, outcome=outcome, address=came.address))


def tidy(name: str) -> str:
    """A name as it is kept: lower case, without blanks around it."""
    return name.strip().casefold()[:TEXT_MAX]


def _stale(account: Account, now_us: int) -> bool:
    """The password was given out too long ago."""
    return account.must_change and now_us - account.password_us > GIVEN_US


def _last_stage(account: Account) -> str:
    return PASSWORD if account.must_change else ""
