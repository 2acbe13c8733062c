"""Who asks, and what they may see and do: one table of roles and powers for pages and interface.

Three administrators are apart (三员分立): `admin` runs the system, `security` keeps accounts, and
`audit_admin` reads what was done. None of the three acts on notices.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.types import Scope

from detector.web.problems import Problem

WHO = "oriole.who"  # where a request's scope says who asks
STILL = "oriole.still"  # and a question whether they still may, for what goes on for long
LOCAL = "local"  # who asks on loopback while there are no accounts

SEE, EXPORT, PERSONS, ANSWER, LEAD, DECIDE = "see", "export", "persons", "answer", "lead", "decide"
SEND, GATE, RULES, SYSTEM, ACCOUNTS, AUDIT = "send", "gate", "rules", "system", "accounts", "audit"
POWERS = (
    SEE,  # boards, lists, notices, cases
    EXPORT,  # what is listed, as a file
    PERSONS,  # pages about a person, with numbers unmasked
    ANSWER,  # acknowledge, answer, appeal: what a notice asks of its department
    LEAD,  # urge, accept, reject, lift, assign, issue by hand: what the centre does
    DECIDE,  # appeals, exemptions, withdrawals
    SEND,  # events and facts into the engine
    GATE,  # ask whether a step may be filed
    RULES,  # propose and approve changes of rules
    SYSTEM,  # the district's folder, health, delivery
    ACCOUNTS,  # accounts and keys
    AUDIT,  # what was done and read, by whom
)
ROLES: dict[str, frozenset[str]] = {
    "operator": frozenset({SEE, GATE}),
    "supervisor": frozenset({SEE, EXPORT, PERSONS, ANSWER}),
    "centre": frozenset({SEE, EXPORT, PERSONS, ANSWER, LEAD, RULES, GATE}),
    "leader": frozenset({SEE, EXPORT, PERSONS, LEAD, DECIDE, RULES}),
    "auditor": frozenset({SEE, EXPORT, PERSONS, AUDIT}),
    "admin": frozenset({SYSTEM, SEND, GATE}),
    "security": frozenset({ACCOUNTS}),
    "audit_admin": frozenset({AUDIT}),
    "system": frozenset({SEND, GATE, SEE}),  # a key of another system
    LOCAL: frozenset(POWERS),
    "": frozenset(),  # nobody's
}
GIVEN = tuple(role for role in ROLES if role not in (LOCAL, ""))  # what an account may have


@dataclass(frozen=True)
class Who:
    """An account, a key, or the local administrator."""

    account: str  # its name, as acts and the audit give it
    role: str
    departments: tuple[str, ...] | None = None  # what is seen of; None: the whole district
    person: str = ""  # of people.csv
    powers: frozenset[str] | None = None  # of a key: fewer than its role's

    def may(self, power: str) -> bool:
        """Whether this is theirs to do."""
        return power in ROLES[self.role] and (self.powers is None or power in self.powers)

    def sees(self, department: str | None) -> bool:
        """Whether what belongs to a department is theirs to see."""
        return self.departments is None or department in self.departments

    @property
    def actor(self) -> str:
        """Who acts, as a notice's history names them."""
        return self.person or self.account


LOCAL_ADMIN = Who(LOCAL, LOCAL)
NOBODY = Who("", "", ())  # who has not come in, where a page is shown all the same


def who_in(scope: Scope) -> Who:
    """Who asks; set by the doorman in front of all routes."""
    who: Who = scope.get(WHO, LOCAL_ADMIN)
    return who


def who_asks(request: Request, power: str, department: str | None = None) -> Who:
    """Who asks, where they may. Raises `Problem` 403; 404 of a department that is not theirs."""
    who = who_in(request.scope)
    if not who.may(power):
        raise Problem(403, "account_may_not")
    if department is not None and not who.sees(department):
        raise Problem(404, "no_such_thing")  # that it exists is not told either
    return who
