"""Random lines of a log, good, odd and broken, all of them following from one `random.Random`."""

import json
import random
from typing import Any

from detector.event import ACTIONS, FACTS, PROCEDURES

STAMPS = (
    "2026-03-02T09:00:00", "2026-03-02 09:00:00+08:00", "20260302T090000", "20260302090000",
    "2026-03-02T09:00:00.123456Z", "2026-03-02T09:00:00.1Z", "2026-03-29T02:30:00", "2026-03-02",
)  # fmt: skip
ODD_STAMPS: Any = (
    "1989-12-31T23:59:59Z", "2100-01-01T00:00:00Z", "2099-12-31T23:59:59.999999999Z", "",
    "2026-02-30T00:00:00", "2026-03-02T24:00:00", "2026-03-02T09:60:00", "2026-03-02T09:00:60",
    " 2026-03-02T09:00:00 ", "2026-03-02T09:00:00+19:00", "2026-03-02T09:00:00.1234567891",
    "２０２６-03-02T09:00:00", "2027-03-04T09:00:00", "2026-03-02t09:00:00", "2026-10-25T02:30:00",
    "1990-01-01T00:00:00", None, 5, [], {},
)  # fmt: skip
ODD_CODES: Any = (
    "许可", "a b", " ", "", "x" * 128, "x" * 129, "许" * 42, "许" * 43, "a\tb", "a\x7fb", "\u200b",
    "\u3000", "\ud800", "a\x00b", None, 5, True, [],
)  # fmt: skip
ODD_MONEY: Any = (
    "-1", "1.005", 1.005, "1.500", "1.", ".5", "1e3", 1e3, True, "", None, "10000000000000", "abc",
    "10000000000000.01", 10**13, 10**13 + 1, 10**30, " 300 ", -0.0, 1e22, [], 0.1 + 0.2, "１２",
)  # fmt: skip
ODD_DAYS: Any = (3660, 3661, -1, 5.0, 5.5, "5", "", "５", "3660", True, None, 10**20, [], "5.0")
ODD_TEXTS: Any = ("", "x" * 8_000, "x" * 8_001, None, 5, "\ud800", "a\nb", [])
ODD_LISTS: Any = (
    [], "a;b", ["a"] * 256, ["a"] * 257, [5], None, "", ["x" * 8_001], [""], "a; ;b", {"a": 1},
    ["\ud800"], 5,
)  # fmt: skip
OPTIONAL: dict[str, tuple[Any, Any]] = {
    **dict.fromkeys(
        ("event_id", "district", "step", "operator", "source", "result", "channel", "grade",
         "party_kind", "supersedes"), (("e1", "A"), ODD_CODES)
    ),
    **dict.fromkeys(("reason", "title", "relief_reason"), (("why",), ODD_TEXTS)),
    **{name: ((["a"], ["b", "c"]), ODD_LISTS) for name in ("documents", "fields", "factors")},
    **dict.fromkeys(("fee_due", "fee_paid", "fine"), (("300", 300.5, 0), ODD_MONEY)),
    **dict.fromkeys(("days_granted", "promised_days", "statutory_days"), ((3, 0), ODD_DAYS)),
    **dict.fromkeys(("received_at", "due_at", "offence_at"), (STAMPS, ODD_STAMPS)),
    "procedure": (sorted(PROCEDURES), ("", "x", 5, None)),
    "imported": ((True, False), ("true", "0", "x", None, 1, "")),
    "kind": (("case",), ("", "tick", "login", "x", None, 5)),
    "reporter_name": (("zhang",), (5, None)),
    "remark": ((1, "x"), ({"a": [1, {"b": None}]}, "\U0001f600", "\ud800", 10**400, [[[]]])),
}  # fmt: skip
FILE = {"name": "报告.pdf", "sha256": "0a" * 32, "bytes": 7, "type": "application/pdf"}
FORMS: dict[str, tuple[Any, Any]] = {  # of a fact's fields
    "code": (("x1",), ODD_CODES), "money": (("3",), ODD_MONEY), "time": (STAMPS, ODD_STAMPS),
    "count": ((3,), ODD_DAYS), "role": (("operator",), ("x", None)),
    "verdict": (("confirmed",), ("x", 5)), "act": (("answer", "accept", "order"), ("x", 5)),
    "learner_act": (("thaw",), ("x", 5)),
    "decision": (("uphold",), ("x", 5)), "kind": (("case",), ("x", 5)),
    "receipt": (("sent",), ("x", 5)), "tier": ((2,), (5, -1, "x")),
    "text": (("x",), (5, "\ud800")), "flag": ((True,), ("maybe", 7)),
    "files": ((["a"], [FILE], [FILE, FILE]), (5, [1], [FILE | {"bytes": -1}], [FILE, "a"], [{}])),
}  # fmt: skip
JUNK = (
    b"", b" ", b"\r", b"{}", b"[]", b"null", b"5", b'"x"', b"{", b"}", b"\xff\xfe", b"not json",
    b"\xef\xbb\xbf{}", b"\x0c", b"NaN", b"{" * 3_000, b"[" * 3_000 + b"]" * 3_000,
)  # fmt: skip


def pick(rng: random.Random, pools: tuple[Any, Any]) -> Any:
    """One of the good values, now and then an odd one."""
    return rng.choice(pools[rng.random() < 0.15])


def random_line(rng: random.Random) -> bytes:
    """A case event or a fact, most of them sound."""
    if rng.random() < 0.1:
        told = random_fact(rng)
    else:
        told = {
            "case_id": pick(rng, (("c1", "c2"), ODD_CODES)),
            "action": pick(rng, (ACTIONS, ("", "fly", None, 5, "Accept"))),
            "item": pick(rng, (("permit",), ODD_CODES)),
            "department": pick(rng, (("D1",), ODD_CODES)),
            "occurred_at": pick(rng, (STAMPS, ODD_STAMPS)),
            "recorded_at": pick(rng, (STAMPS, ODD_STAMPS)),
        }
        told |= {name: pick(rng, p) for name, p in OPTIONAL.items() if rng.random() < 0.15}
    members = list(told.items())
    if rng.random() < 0.05:
        members.pop(rng.randrange(len(members)))
    if rng.random() < 0.1:
        members.append(rng.choice(members))  # a key that stands there twice
    rng.shuffle(members)
    escaped, colon = rng.random() < 0.5, rng.choice((":", ": "))
    parts = [
        json.dumps(k) + colon + json.dumps(v, ensure_ascii=escaped, allow_nan=False)
        for k, v in members
    ]
    return ("{" + ",".join(parts) + "}").encode("utf-8", "surrogatepass")


def random_fact(rng: random.Random) -> dict[str, Any]:
    """A fact of any kind."""
    kind = rng.choice(list(FACTS))
    told: dict[str, Any] = {"kind": kind}
    for name, form in FACTS[kind].items():
        seldom = 0.1 if kind == "act" else 0.5  # an act has many fields, and one odd one spoils it
        if rng.random() < (0.97 if form.endswith("!") else seldom):
            told[name] = pick(rng, FORMS[form.rstrip("!")])
    if rng.random() < 0.3:
        told["received_at"] = pick(rng, (STAMPS, ODD_STAMPS))
    if rng.random() < 0.1:
        told["reporter_phone"] = "1"
    return told


def mutated(rng: random.Random, line: bytes) -> bytes:
    """The line, or what may become of one on its way."""
    chance, at = rng.random(), rng.randrange(len(line))
    if chance < 0.06:
        return line[:at]
    if chance < 0.12:
        return line[:at] + bytes([rng.choice(b'\x00\xff{}[]",:\\ 0-\xc3\x7f')]) + line[at + 1 :]
    if chance < 0.16:
        return line[:at] + line[at + 1 :]
    if chance < 0.2:
        rest = rng.choice((10, 65_536, 65_537, 65_538, 70_000)) - len(line) - 7
        return line[:-1] + b',"x":"' + b"y" * rest + b'"}'
    if chance < 0.24:
        return rng.choice(JUNK)
    if chance < 0.32:
        return rng.choice((line + b"\r", b"  " + line + b" ", line + line))
    if chance < 0.34:
        return line[:-1] + b',"x":' + b"[" * rng.choice((10, 400)) + b"]" * 10 + b"}"
    return line
