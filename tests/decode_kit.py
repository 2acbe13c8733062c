"""What the tests of decoding share: each line by the reference alone, and blocks through a decoder.

`slowly` is `event.read` over one line at a time, which is the meaning of a line.
"""

import fnmatch

from msgspec.structs import replace as but

from detector.columns import ARRAYS, Words, from_events
from detector.decode import Decoder
from detector.event import LINE_BYTES_MAX, Fact, Reading, Refused, read
from detector.lines import known_fields, parse_own
from detector.workcalendar import Zone

ZONES = {
    name: Zone(name)
    for name in ("Asia/Shanghai", "Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe")
}
SHANGHAI = Reading(zone=ZONES["Asia/Shanghai"])
REPORTER = ("reporter_*",)


def slowly(lines, how, drop):
    """What each line comes to by itself: spelled columns, facts, refusals, fields dropped."""
    events, places, facts, refusals, dropped = [], [], [], [], 0
    for number, text in enumerate(lines, 1):
        text = text.strip() if len(text) <= LINE_BYTES_MAX else text
        if not text:
            continue
        try:
            line = parse_own(text)
            kept = {k: v for k, v in line.items() if not any(fnmatch.fnmatch(k, d) for d in drop)}
            one = read(known_fields(kept), how)
        except Refused as fault:
            refusals.append((number, fault.field, fault.error))
            continue
        dropped += len(line) - len(kept)
        if isinstance(one, Fact):
            facts.append(but(one, position=number))
        else:
            events.append(one)
            places.append(number)
    return spelled(from_events(events, Words(), places)), facts, refusals, dropped


def quickly(lines, how, drop, rng, scan_after):
    """What the decoder makes of them, in blocks cut at random."""
    decoder = Decoder(Words(), how, "file", drop, scan_after=scan_after)
    columns: dict[str, list] = {name: [] for name in ARRAYS}
    facts, refusals, dropped, begin = [], [], 0, 0
    for end in sorted({*rng.choices(range(len(lines) + 1), k=3), len(lines)}):
        block = b"\n".join(lines[begin:end]) + rng.choice((b"", b"\n")) * (end > begin)
        if end < len(lines) or block:
            decoded = decoder.decode(block, begin + 1)
            for name, values in spelled(decoded.inputs).items():
                columns[name] += values
            facts += decoded.inputs.facts
            refusals += [(r.line, r.field, r.error) for r in decoded.refusals]
            dropped += decoded.dropped
        begin = end
    return columns, facts, refusals, dropped


VOCABULARIES = {
    "case": "case", "item": "item", "department": "department", "step": "step",
    "operator": "operator", "procedure": "other", "source": "other", "channel": "other",
    "told": "told",
}  # fmt: skip


def spelled(inputs) -> dict[str, list]:
    """Every column, codes as texts."""
    told = {name: getattr(inputs, name).tolist() for name in ARRAYS}
    for name, vocabulary in VOCABULARIES.items():
        told[name] = getattr(inputs.words, vocabulary).texts(getattr(inputs, name))
    return told
