"""The power catalogue (行政权力库): what each item may cost, how long it may take, and its flow.

A catalogue is read from TOML texts and is immutable afterwards. Days are working days, hours are
working hours, fees are fen; None means that the catalogue does not say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from detector.event import CODE_BYTES_MAX, DAYS_MAX, LIST_ITEMS_MAX
from detector.tomlfile import Problem, Table, read_toml, shown
from detector.values import read_money

# 事项类型 (GB/T 39046—2020): 01 许可, 02 处罚, 03 强制, 04 征收, 05 给付, 06 检查, 07 确认,
# 08 奖励, 09 裁决, 10 其他, 20 公共服务
TYPES = ("01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "20")
STATUSES = ("in_use", "dormant", "abolished")  # 在用, 休眠, 废止
KINDS = ("promised", "on_the_spot")  # 承诺件, 即办件
DUTIES_APART = (("accept", "decide"), ("review", "decide"), ("accept", "review"))
FILES_MAX = 1_000
STEPS_MAX = 200
PAIRS_MAX = 200
BITS = 62  # required steps, documents and fields of one item: each is a bit of a case's state
BENCHMARKS_MAX = 200
HOUR_US = 3_600_000_000
LIMIT_HOURS_MAX = 24 * DAYS_MAX


@dataclass(frozen=True, slots=True)
class Step:
    """One step (环节) of an item's flow; `code` is an event's `step`, else its action's name."""

    code: str
    name: str
    duty: str = ""  # "" = no duty, so nobody can hold it
    required: bool = False
    limit_hours: Decimal | None = None
    documents: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()

    @property
    def limit_us(self) -> int | None:
        """The step's own limit in microseconds of working time."""
        return None if self.limit_hours is None else int(self.limit_hours * HOUR_US)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """The fines that one grade (裁量等次) allows, both ends included."""

    grade: str
    least_fen: int
    most_fen: int
    party_kind: str | None = None  # 当事人类别; None = whoever it is
    factors: tuple[str, ...] = ()  # 裁量因素, one of which must hold; () = none need


@dataclass(frozen=True, slots=True)
class Item:
    """One power item (权力事项) with its flow in order."""

    code: str
    name: str
    type: str
    status: str = "in_use"
    kind: str = "promised"
    promised_days: int | None = None
    statutory_days: int | None = None
    fee_fen: int | None = None
    steps: tuple[Step, ...] = ()
    incompatible: tuple[tuple[str, str], ...] = DUTIES_APART
    benchmarks: tuple[Benchmark, ...] = ()
    where: str = field(default="", compare=False)  # "catalogue/permits.toml:12"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every item of a district by its code, in the order of the files."""

    items: dict[str, Item]


def read_catalogue(
    files: Mapping[str, bytes], day_us: int | None, problems: list[Problem], notes: list[str]
) -> Catalogue:
    """The items of all `files` (name in messages → bytes).

    `day_us` is the working time of one working day; None leaves step limits against the promise
    unchecked. Mistakes go into `problems`, oddities that are allowed into `notes`.
    """
    items: dict[str, Item] = {}
    known = len(problems)
    if len(files) > FILES_MAX:
        reason = f"holds {len(files)} files, more than {FILES_MAX}"
        problems.append(Problem("catalogue", "", reason, remedy="join some"))
    for name in sorted(files)[:FILES_MAX]:
        doc = read_toml(name, files[name], problems)
        if doc is None:
            continue
        root = doc.root(problems)
        rows = root.tables("items")
        root.close()
        for row in rows:
            item = _item(row, day_us, notes)
            twin = items.setdefault(item.code, item) if item.code else item
            if twin is not item:
                reason = f"{shown(item.code)} is listed already at {twin.where}"
                row.fault("code", reason, "remove one of the two")
        if not rows:
            notes.append(f"{name}: lists no item")
    if not items and len(problems) == known:
        problems.append(Problem("catalogue", "", "lists no item", remedy="add one [[items]]"))
    return Catalogue(items)


def _item(row: Table, day_us: int | None, notes: list[str]) -> Item:
    code = _code(row)
    steps = _steps(row)
    item = Item(
        code=code,
        name=row.text("name"),
        type=row.choice("type", TYPES),
        status=row.choice("status", STATUSES, "in_use"),
        kind=row.choice("kind", KINDS, "promised"),
        promised_days=row.whole("promised_days", 0, DAYS_MAX),
        statutory_days=row.whole("statutory_days", 0, DAYS_MAX),
        fee_fen=_yuan(row, "fee_yuan", "50.00"),
        steps=steps,
        incompatible=_incompatible(row, {step.duty for step in steps}, notes),
        benchmarks=_benchmarks(row),
        where=f"{row.doc.file}:{row.doc.line_of(row.at) or 1}",
    )
    _limits(row, item, day_us, notes)
    _few(row, item)
    row.close()
    return item


def _few(row: Table, item: Item) -> None:
    """An item may ask for so many different things at most."""
    for name in ("documents", "fields"):
        asked = {one for step in item.steps for one in getattr(step, name)}
        if len(asked) > BITS:
            reason = f"need {len(asked)} different {name} in all, more than {BITS}"
            row.fault("steps", reason, f"join some {name} under one code")
    required = sum(step.required for step in item.steps)
    if required > BITS:
        row.fault("steps", f"hold {required} required ones, more than {BITS}", "join some")


def _code(row: Table) -> str:
    code = row.text("code")
    if code == "*":
        row.fault("code", '"*" stands for every item in a rulebook', "choose another code")
    if len(code.encode()) > CODE_BYTES_MAX:
        row.fault("code", f"is longer than {CODE_BYTES_MAX} bytes of UTF-8", "shorten it")
    return code


def _steps(row: Table) -> tuple[Step, ...]:
    rows = row.tables("steps")
    if len(rows) > STEPS_MAX:
        row.fault("steps", f"are {len(rows)}, more than {STEPS_MAX}", "join some")
    steps: list[Step] = []
    for entry in rows[:STEPS_MAX]:
        code = _code(entry)
        if code and any(step.code == code for step in steps):
            entry.fault("code", f"{shown(code)} is a step of this item already", "remove one")
        step = Step(
            code=code,
            name=entry.text("name", code),
            duty=entry.text("duty", ""),
            required=entry.flag("required", False),
            limit_hours=_hours(entry),
            documents=_list(entry, "documents"),
            fields=_list(entry, "fields"),
        )
        steps.append(step)
        entry.close()
    return tuple(steps)


def _list(entry: Table, key: str) -> tuple[str, ...]:
    texts = entry.texts(key)
    if len(texts) > LIST_ITEMS_MAX:
        entry.fault(key, f"has {len(texts)} entries, more than {LIST_ITEMS_MAX}", "shorten it")
    return texts


def _hours(entry: Table) -> Decimal | None:
    value = entry.take("limit_hours")
    if value is None:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value <= LIMIT_HOURS_MAX:
        reason = f"{shown(value)} is not a number of working hours up to {LIMIT_HOURS_MAX}"
        entry.fault("limit_hours", reason, "write hours such as 14 or 0.5, or leave the limit out")
        return None
    return Decimal(str(value))


def _yuan(row: Table, key: str, such_as: str) -> int | None:
    value = row.take(key)
    if value is None:
        return None
    try:
        if not isinstance(value, str | int | float):
            raise ValueError("is not an amount in yuan: write 300 or 300.50")
        return read_money(value)
    except ValueError as fault:
        remedy = f'write yuan with at most two decimals, such as {key} = "{such_as}"'
        row.fault(key, f"{shown(value)} {str(fault).partition(':')[0]}", remedy)
        return None


def _benchmarks(row: Table) -> tuple[Benchmark, ...]:
    rows = row.tables("benchmarks")
    if len(rows) > BENCHMARKS_MAX:
        row.fault("benchmarks", f"are {len(rows)}, more than {BENCHMARKS_MAX}", "join some")
    told: dict[tuple[str, str | None], Benchmark] = {}
    for entry in rows[:BENCHMARKS_MAX]:
        one = _benchmark(entry)
        if one.grade and told.setdefault((one.grade, one.party_kind), one) is not one:
            kind = "" if one.party_kind is None else f" and party_kind {shown(one.party_kind)}"
            reason = f"{shown(one.grade)}{kind} has a benchmark in this item already"
            entry.fault("grade", reason, "remove one of the two, or tell them apart by party_kind")
    return tuple(told.values())


def _benchmark(entry: Table) -> Benchmark:
    grade, party_kind = entry.text("grade"), entry.text("party_kind", "")
    known = len(entry.problems)
    ends = [_end(entry, "least_yuan"), _end(entry, "most_yuan")]
    if len(entry.problems) == known and ends[1] < ends[0]:
        reason = f"{_spell_fen(ends[1])} is less than least_yuan {_spell_fen(ends[0])}"
        entry.fault("most_yuan", reason, "let the range end where it begins, or above")
    factors = _list(entry, "factors")
    entry.close()
    return Benchmark(grade, ends[0], ends[1], party_kind or None, factors)


def _end(entry: Table, key: str) -> int:
    fen = _yuan(entry, key, "5000.00")
    if entry.take(key) is None:
        entry.fault(key, "is missing", f'add {key} = "…"')
    return fen or 0


def _incompatible(row: Table, duties: set[str], notes: list[str]) -> tuple[tuple[str, str], ...]:
    if row.take("incompatible") is None:
        return DUTIES_APART
    table = row.table("incompatible")
    pairs: dict[tuple[str, str], None] = {}
    rows = table.rows("pairs")
    table.close()
    if rows is None:
        return DUTIES_APART
    if len(rows) > PAIRS_MAX:
        table.fault("pairs", f"are {len(rows)}, more than {PAIRS_MAX}", "remove some")
    for index, pair in enumerate(rows[:PAIRS_MAX]):
        key = ("pairs", index)
        if not isinstance(pair, list) or len(pair) != 2:
            table.fault(key, "is not two duties", 'write pairs such as ["accept", "decide"]')
        elif all(table.is_text((*key, side), duty) for side, duty in enumerate(pair)):
            first, second = pair
            if first == second:
                table.fault(key, f"sets {shown(first)} apart from itself", "name two duties")
            elif (second, first) not in pairs:
                pairs[first, second] = None
            for duty in sorted({first, second} - duties):
                problem = table.doc.problem((*table.at, *key), f"no step has duty {shown(duty)}")
                notes.append(str(problem))
    return tuple(pairs)


def _limits(row: Table, item: Item, day_us: int | None, notes: list[str]) -> None:
    promised, statutory = item.promised_days, item.statutory_days
    if promised is None:
        return
    if statutory is not None and promised > statutory:
        reason = f"{promised} is more than statutory_days {statutory}"
        row.fault("promised_days", reason, "promise no more than the law allows, or mend the law's")
    if item.kind == "on_the_spot" or day_us is None:
        return
    if promised == 0:
        key = (*row.at, "promised_days")
        notes.append(str(row.doc.problem(key, "0 leaves no time", 'is it kind = "on_the_spot"?')))
    sum_us = sum(step.limit_us or 0 for step in item.steps)
    if sum_us > promised * day_us:
        reason = (
            f"the step limits add up to {_spell(sum_us)} working hours, more than the promise of"
            f" {promised} working days × {_spell(day_us)} h = {_spell(promised * day_us)} h"
        )
        row.fault("steps", reason, "shorten limit_hours or raise promised_days")


def _spell(us: int) -> str:
    return f"{us / HOUR_US:.6f}".rstrip("0").rstrip(".")


def _spell_fen(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}".removesuffix(".00")
