"""NDJSON bytes → columns on one core: the compiled road, against the objects in the same run.

Both read the same lines of the county, other lines in every batch, so that nothing lies in the
cache. Seconds are those of the process; compiling is off the clock.
"""

from __future__ import annotations

from time import process_time
from typing import Any

from benchmarks.county_files import DISTRICT, made
from detector.columns import Words
from detector.decode import Decoder
from detector.district import load_district
from detector.event import Reading
from detector.quick import warm
from detector.simulate.text import frames, lines_of

LINES = 200_000
BATCHES = {1: 2_000, 16: 20_000, 64: 50_000, 500: LINES, 4_096: LINES}  # rows a batch → lines read
SHOWN = (500, 4_096)
RUNS = 3


def run() -> list[dict[str, Any]]:
    """A row each for the batches of `SHOWN`: lines/s; the notes have µs a line for all of them."""
    warm()
    lines = [line.encode() for frame in frames(made(LINES)) for line in lines_of(frame)]
    how = Reading(load_district(DISTRICT).calendar.zone)
    told, out = [], []
    for batch, count in BATCHES.items():
        blocks = [b"\n".join(lines[at : at + batch]) + b"\n" for at in range(0, count, batch)]
        compiled, objects = (_seconds(blocks, how, after) / count for after in (0, None))
        told.append(f"{batch}: {compiled * 1e6:.1f} / {objects * 1e6:.1f}")
        if batch in SHOWN:
            out.append(
                {
                    "name": f"decode_{batch}", "value": round(1 / compiled), "unit": "lines/s",
                    "against": "decoding into objects", "ratio": round(objects / compiled, 1),
                }
            )  # fmt: skip
    size = sum(map(len, lines)) / len(lines)
    out[0]["note"] = f"{size:.0f} bytes a line; µs a line, compiled / objects: {', '.join(told)}"
    return out


def _seconds(blocks: list[bytes], how: Reading, scan_after: int | None) -> float:
    """The best of a few runs, each with a decoder that knows nothing yet but the first block."""
    best = float("inf")
    for _ in range(RUNS):
        decoder = Decoder(Words(), how, scan_after=scan_after)
        decoder.decode(blocks[0])
        begun = process_time()
        for block in blocks:
            decoder.decode(block)
        best = min(best, process_time() - begun)
    return best
