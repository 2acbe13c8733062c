"""Lines as sources of the field send them, and what is done to them on their way."""

import json
import random
from typing import Any

from lines import random_line

from detector.event import ACTIONS, PROCEDURES

STAMPS = (
    "2026-03-02T09:00:00+08:00", "2026-03-02T01:00:00Z", "2026-03-02T09:00:00.123456+08:00",
    "20260302T090000", "20260302090000", "2026-03-02 09:00:00", "2026-03-02T09:00:00.5",
)  # fmt: skip
TEXTS = ("主要材料缺失，不予受理", "x", "\U0001f600 ok", "a\\b", 'say "x"', "tab\there", "ñ", "")


RARE = ("grade", "fine", "offence_at", "supersedes", "factors", "party_kind", "reporter_name")
NONE_RARE = dict.fromkeys(RARE, ...)  # such lines are left by the kernels where these say anything


def plain(rng: random.Random, **changes) -> dict:
    """A case event as a source of the field sends it: most are for the kernels."""
    told: dict[str, Any] = {
        "event_id": f"2026030200{rng.randrange(10**6):06}",
        "case_id": f"3204112600{rng.randrange(50):06}",
        "action": rng.choice(ACTIONS),
        "item": rng.choice(("permit", "living_allowance", "食品许可")),
        "department": rng.choice(("D01", "D02", "住建局")),
        "occurred_at": rng.choice(STAMPS),
        "recorded_at": rng.choice(STAMPS),
    }
    for name, values in {
        "received_at": STAMPS, "due_at": STAMPS, "district": ("320411", ""),
        "operator": ("P0501", "张三"), "step": ("survey", "review"), "channel": ("1", "2"),
        "source": ("hall",), "result": ("granted", "refused", "其他", ""), "reason": TEXTS,
        "title": TEXTS, "relief_reason": ("低保", ""), "documents": ([], ["a", "乙"], ["a\\u"]),
        "fields": (["x"], []), "fee_due": ("300", "80.00", 300, 300.5, 0, "", "007", 1e2),
        "fee_paid": ("0.5", 12.34), "days_granted": (0, 5, 3660), "promised_days": (12,),
        "statutory_days": (20,), "imported": (True, False), "procedure": sorted(PROCEDURES),
        "kind": ("case",), "grade": ("", "A"), "fine": ("", 300), "offence_at": ("", STAMPS[0]),
        "supersedes": ("", "e1"), "factors": ([], ["f"]), "party_kind": (None, "person"),
        "reporter_name": ("李四",), "remark": (1, "备注", {"a": [1.5, {"b": None}]}, [], {}, -0.5),
        "版本": ("2",),
    }.items():  # fmt: skip
        if rng.random() < 0.06:
            told[name] = rng.choice(values)
    return {k: v for k, v in {**told, **changes}.items() if v is not ...}


def written(rng, told) -> bytes:
    """Its members in JSON, in any order, with blanks or escapes now and then."""
    members = list(told.items())
    if rng.random() < 0.3:
        rng.shuffle(members)
    blank = rng.choice(("", "", " ", "  "))
    escaped = rng.random() < 0.1
    parts = [
        f"{blank}{json.dumps(k, ensure_ascii=escaped)}:{blank}{json.dumps(v, ensure_ascii=escaped)}"
        for k, v in members
    ]
    return ("{" + ",".join(parts) + blank + "}").encode()


def line_of(rng, **changes) -> bytes:
    """Such an event, written."""
    return written(rng, plain(rng, **changes))


EDGES = (  # texts put in the place of others, JSON and all
    b"null", b"true", b"nul", b'""', b'" "', b"0", b"00", b"-0", b"1.", b".5", b"1e3", b"0.05",
    b"1.005", b"99999999999", b"100000000000", b'"99999999999.99"', b'"100000000000"', b'"1.500"',
    b"3660", b"3661", b'"3"', b"3.0", b"[]", b"{}", b"[1]", b'["a",]', b'["a" "b"]', b"[[]]",
    b'"\\u4e2d"', b'"\\ud83d\\ude00"', b'"\\ud83d"', b'"\\u0000"', b'"\x7f"', b'"\xe4\xb8"',
    b'"\xed\xa0\x80"', b'"\xc0\x80"', b'"\xf4\x90\x80\x80"', b'"\xf0\x9f\x98\x80"', b'"\xc2\xa0"',
    b'"\xe3\x80\x80"', b'"\xef\xbb\xbf"', b'"2026-02-29T00:00:00Z"', b'"2024-02-29T00:00:00Z"',
    b'"2026-03-02T23:59:60Z"', b'"2026-03-02T24:00:00Z"', b'"1990-01-01T00:00:00Z"',
    b'"1989-12-31T23:59:59Z"', b'"2099-12-31T23:59:59.999999Z"', b'"2100-01-01T00:00:00Z"',
    b'"19900101075959"', b'"19900101080000"', b'"2026-03-02T09:00:00+18:00"', b'"20260302"',
    b'"2026-03-02T09:00:00+18:01"', b'"2026-03-02T09:00:00-00:00"', b'"2026-03-02T09:00:00+8:00"',
    b'"2026-03-02T09:00:00.1234567Z"', b'"2026-03-02T09:00:00.Z"', b'"2026-03-02T09:00"', b'"case"',
    b'"2026-03-29T02:30:00"', b'"2026-10-25T02:30:00"', b'"1991-09-15T00:30:00"', b'"tick"',
    b'"' + b"x" * 128 + b'"', b'"' + b"x" * 129 + b'"', b'"' + "许".encode() * 42 + b'"',
    b'"' + "许".encode() * 43 + b'"', b'"' + b"r" * 1_010 + b'"', b'"' + b"r" * 1_030 + b'"',
    b'"' + b"r" * 8_001 + b'"', b'"a b"', b'"a\\"b"', b'"a', b"",
)  # fmt: skip
CHARACTERS = b'\x00\x09\x0b\x0d\x1f {}[]",:\\/0129-+.TZeEtnu\x7f\x80\xbf\xc3\xe4\xff'


def broken(rng, line: bytes) -> bytes:
    """The line with one to three things done to it."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(line) + 1)
        what = rng.randrange(9)
        marks = [n for n, c in enumerate(line) if c in b',{}:"']
        if what == 0:
            line = line[:at] + bytes([rng.choice(CHARACTERS)]) + line[at + 1 :]
        elif what == 1:
            line = line[:at] + bytes([rng.choice(CHARACTERS)]) + line[at:]
        elif what == 2:
            line = line[:at] + line[at + rng.randint(1, 3) :]
        elif what == 3 and len(marks) > 1:  # from one mark to another away, or twice
            a, b = sorted(rng.sample(marks, 2))
            line = line[:a] + rng.choice((b"", line[a:b] * 2)) + line[b:]
        elif what == 4 and line.count(b",") > 1:  # a member again, or once more in another place
            members = line[1:-1].split(b",")
            members.insert(rng.randrange(len(members)), rng.choice(members))
            line = b"{" + b",".join(members) + b"}"
        elif what in (5, 6, 7) and b":" in line:
            begin = rng.choice([n for n, c in enumerate(line) if c == 58]) + 1
            end = min(n for n in (line.find(b",", begin), len(line) - 1) if n >= begin - 1)
            line = line[:begin] + rng.choice(EDGES) + line[end:]
        else:
            line = (
                rng.choice((b" ", b"", b"\t", b"x"))
                + line
                + rng.choice((b" ", b"\r", b"\r ", b"}"))
            )
    return line.replace(b"\n", b" ")


def some_lines(rng, count) -> list[bytes]:
    """Sound lines and broken ones."""
    lines = []
    for _ in range(count):
        line = line_of(rng) if rng.random() < 0.9 else random_line(rng)
        lines.append(broken(rng, line) if rng.random() < 0.45 else line)
    return lines
