"""Stage 6, group (汇总): a flood becomes one digest a person, channel and tier.

Fewer than `group_from` go at once. More wait until none has come for `group_wait_s`, at most
`HOLD_S_MAX`, and then leave as one. Systems want each, so webhooks get no digests; nor is grouped
what was tried under its own key, for it may have arrived. Each case is reached from its digest.
"""

from __future__ import annotations

import hashlib

import msgspec

from detector.delivery.caps import channel_key, person_key
from detector.delivery.outbox import DIGEST, GROUPED, Row
from detector.delivery.passing import Facts, Passing, fresh
from detector.ladder import Rung
from detector.notice import ENDED

HOLD_S_MAX = 60
SECOND_US = 1_000_000
GRAVEST = 3  # named in a digest
NEVER_GROUPED = ("webhook",)
Key = tuple[str, str | None, int, bool]


def group(rows: list[Row], facts: Facts, out: Passing) -> list[Row]:
    """Those that go alone."""
    on, some = [], dict[Key, list[Row]]()
    for row in rows:
        alone = row.occasion == DIGEST or row.attempts or facts.kind(row.channel) in NEVER_GROUPED
        if alone:
            on.append(row)
        else:
            key = (row.person, row.channel, row.tier, row.occasion in ENDED)
            some.setdefault(key, []).append(row)
    for members in some.values():
        on += _together(members, facts, out)
    return on


def _together(members: list[Row], facts: Facts, out: Passing) -> list[Row]:
    settings = facts.district.channels.delivery
    wait_us = settings.group_wait_s * SECOND_US
    lately = _lately(members[0], facts.now_us - wait_us, facts) if wait_us else 0
    if len(members) + lately < settings.group_from:
        return members
    dues = [row.due_us or facts.now_us for row in members]
    until = min(max(dues) + wait_us, min(dues) + HOLD_S_MAX * SECOND_US)
    if until > facts.now_us:
        out.hold(members, until)
        return []
    if len(members) < settings.group_from:
        return members
    _digest(members, facts, out)
    return []


def _lately(row: Row, since_us: int, facts: Facts) -> int:
    """What was handed over within the wait: the first of a flood may have gone alone."""
    keys = person_key(row.person), channel_key(row.channel or "")
    return min(facts.caps.since(key, since_us) for key in keys)


def _digest(members: list[Row], facts: Facts, out: Passing) -> None:
    """One message for many; it goes on its way when this is written."""
    ids = sorted(row.message_id for row in members)
    name = digest_id(ids)
    first = members[0]
    departments = {row.department for row in members}
    row = fresh(
        first, out.now_us, message_id=name, seq=max(m.seq for m in members), notice_id="",
        occasion=DIGEST, level=max(m.level for m in members), at_us=max(m.at_us for m in members),
        department=first.department if len(departments) == 1 else None, reason=None,
    )  # fmt: skip
    subject, text = words(members, facts.district.ladder.tiers)
    row = msgspec.structs.replace(row, subject=subject)
    doc = {"digest_id": name, "tier": row.tier, "count": len(members)}
    out.add(row, text, msgspec.json.encode(doc))
    for one in members:
        after = msgspec.structs.replace(
            one, state=GROUPED, due_us=None, digest_id=name, reason=DIGEST, settled_us=out.now_us
        )
        out.move(one, after)
    out.hold([row], out.now_us)


def digest_id(ids: list[str]) -> str:
    """The same messages always make the same digest."""
    return f"digest-{hashlib.sha256(msgspec.json.encode(sorted(ids))).hexdigest()[:40]}"


def words(members: list[Row], tiers: tuple[Rung, ...]) -> tuple[str, str]:
    """(subject, text): how many, of which tier, and the gravest of them."""
    tier = tiers[min(members[0].tier, len(tiers) - 1)].zh
    gravest = sorted(members, key=lambda row: (-row.level, row.at_us, row.message_id))[:GRAVEST]
    named = "；".join(dict.fromkeys(_about(row.subject, tier) for row in gravest))
    what = "件已办结或撤销" if members[0].occasion in ENDED else "件待办"
    more = "等" if len(members) > len(gravest) else ""
    line = f"{tier}汇总：{len(members)}{what}"
    return line, f"{line}，包括{named}{more}。"


def _about(subject: str, tier: str) -> str:
    """A subject line without the tier's name, which the digest says once."""
    return subject.removeprefix(tier).lstrip("：:")
