"""A ledger is proved again from its first byte; whatever was changed in it is named."""

from __future__ import annotations

import random

import pytest
from live_kit import ACCEPT, SURVEY, Live, event

from detector.ledger.sqlite_file import FILE, open_ledger
from replay.verify import verify

FLIPS = 200


def fill(path):
    """A small ledger in which something of everything happened."""
    ledger = open_ledger(path / FILE)
    live = Live(ledger)
    for day in range(2, 7):
        for case in range(40):
            at = f"2026-03-{day:02d}T{9 + case % 8:02d}:{case:02d}:"
            told = {"case_id": f"c{day}-{case}"}
            live.post(
                event("a", at + "00", "accept", **told),
                event("b", at + "40", step="survey", operator=f"P010{case % 3}", **told),
                event("c", at + "50", "pay", fee_due="5", fee_paid="4", imported=True, **told),
            )
    live.post(ACCEPT | {"recorded_at": "2026-04-01T09:00:00+08:00"}, b"odd line")
    live.post(SURVEY | {"recorded_at": "2026-04-01T10:00:00+08:00", "operator": "P0101"})
    live.post(event("e3", "2026-04-01T11:00:00", step="decide", supersedes="e2"))
    live.post({"kind": "tick", "at": "2026-04-20T00:00:00Z"})
    live.stop()
    digest = live.digest()
    ledger.close()
    return digest


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder with a sound ledger, and the digest of its findings."""
    path = tmp_path_factory.mktemp("whole")
    return path, fill(path)


@pytest.fixture
def spoilt(whole, tmp_path):
    """A copy of it, and a way to change it behind the ledger's back."""
    import pysqlite3.dbapi2 as driver

    (tmp_path / FILE).write_bytes((whole[0] / FILE).read_bytes())
    assert not (whole[0] / f"{FILE}-wal").exists()
    connection = driver.connect(str(tmp_path / FILE), isolation_level=None)
    yield tmp_path, connection
    connection.close()


def test_sound(whole):
    path, digest = whole
    told = verify(path)
    assert told.fault == "" and told.digest == digest
    assert told.inputs > 600 and told.by_rule["too_fast_step"] >= 200


@pytest.mark.slow
def test_any_flipped_byte_of_the_journal_is_found(spoilt):
    """200 random bytes of the journal's rows, one at a time: each is found, and its frame named."""
    path, connection = spoilt
    rng = random.Random(7)
    rows = connection.execute("SELECT rowid, seq, data, back, hash, seal FROM journal").fetchall()
    names = ("data", "back", "hash", "seal")
    weights = [sum(len(row[2 + n]) for row in rows) for n in range(4)]
    places = {(c, r) for c in range(4) for r in (0, len(rows) - 1)}
    while len(places) < FLIPS:
        places.add((rng.choices(range(4), weights)[0], rng.randrange(len(rows))))
    for column, row in sorted(places):
        rowid, seq, *blobs = rows[row]
        spoiled = bytearray(blobs[column])
        spoiled[rng.randrange(len(spoiled))] ^= 1 << rng.randrange(8)
        put = f"UPDATE journal SET {names[column]} = ? WHERE rowid = ?"
        connection.execute(put, (bytes(spoiled), rowid))
        told = verify(path)
        assert f"journal frame {seq} " in told.fault or f"journal frame {seq}:" in told.fault
        connection.execute(put, (blobs[column], rowid))
    assert verify(path).fault == ""


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("UPDATE journal SET n = n + 1 WHERE seq = 9", "journal frame 9"),
        ("UPDATE journal SET at_lo = at_lo - 1 WHERE seq = 9", "journal frame 9"),
        ("UPDATE journal SET first_event = first_event + 1 WHERE seq = 9", "first_event"),
        ("DELETE FROM journal WHERE seq = 9", "frame 9 is missing"),
        ("DELETE FROM journal WHERE seq = (SELECT max(seq) FROM journal)", "position: says"),
        ("DELETE FROM journal", "the ledger is empty"),
        ("UPDATE position SET hash = zeroblob(32)", "position: says"),
        ("DELETE FROM findings WHERE rule = 'same_person'", r"\(same_person\): is missing"),
        ("UPDATE findings SET tier = 1 WHERE rule = 'same_person'", r"\(same_person\): tier: is 1"),
        ("UPDATE findings SET muted = 'x' WHERE rule = 'too_fast_step'", r"too_fast_step\): muted"),
        (
            "UPDATE findings SET withdrawn = 'corrected', withdrawn_actor = 'a', withdrawn_at = 'b'"
            " WHERE rule = 'too_fast_step'",
            "is corrected in the ledger, and should be standing",
        ),
        (
            "UPDATE moves SET doc = CAST(replace(CAST(doc AS TEXT), '40', '41') AS BLOB)"
            " WHERE doc LIKE '%too_fast_step%'",
            r"\(too_fast_step\): its document differs from byte \d+ on",
        ),
        ("DELETE FROM moves WHERE code = 'superseded'", 'its move "superseded" is missing'),
        (
            "INSERT INTO findings SELECT 'f' || substr(finding_id, 2), shard, number, rule,"
            " department, case_id, item, operator, at_us, tier, muted, withdrawn, withdrawn_actor,"
            " withdrawn_at FROM findings WHERE finding_id NOT LIKE 'f%' LIMIT 1",
            "follows from no input",
        ),
        ("UPDATE counts SET n = n + 1", r"counts of .*in the ledger, \d+ derived"),
        ("DELETE FROM counts", "counts of"),
        ("DELETE FROM contents", "contents: are not"),
        ("INSERT INTO contents SELECT shard, max(seq) FROM journal", "contents: are not"),
    ],
)
def test_any_change_is_named(spoilt, change, named):
    path, connection = spoilt
    connection.execute(change)
    told = verify(path)
    import re

    assert re.search(named, told.fault), told.fault


def test_a_file_that_is_cut_short_is_damaged(whole, tmp_path):
    data = (whole[0] / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(data[: len(data) // 2])
    assert "damaged" in verify(tmp_path).fault


def test_another_journalled_rule_gives_another_fault(spoilt):
    """Whoever rewrites a journal whole, chain and all, is found by what follows from it."""
    import numpy as np

    from detector.ledger import Frame, Position, after
    from detector.ledger.journal import Block, blocks_of, make_frame, text_of, unpack_back

    path, connection = spoilt
    names = "seq, first_event, n, at_lo, at_hi, hash, data, back, seal"
    rows = connection.execute(f"SELECT {names} FROM journal ORDER BY seq").fetchall()
    position, target = Position(), b'"recorded_at":"2026-03-03T09:00:40+08:00"'
    for row in rows:
        frame = Frame(*row)
        blocks = [
            Block(b.stamp, b.data.replace(target, target.replace(b":40+", b":41+")), b.n, b.floor,
                  b.content)
            for b in blocks_of(text_of(frame))
        ]  # fmt: skip
        at = np.linspace(frame.at_lo, frame.at_hi, frame.n).astype(np.int64)
        new = make_frame(position, blocks, at, unpack_back(frame))
        position = after(position, [new])
        connection.execute(
            "UPDATE journal SET hash = ?, data = ?, seal = ? WHERE seq = ?",
            (new.hash, new.data, new.seal, new.seq),
        )
    connection.execute("UPDATE position SET hash = ?", (position.hash,))
    fault = verify(path).fault
    assert "at_lo, at_hi" in fault or "its document differs" in fault or "missing" in fault
