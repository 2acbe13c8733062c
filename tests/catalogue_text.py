"""The oracle's items as the TOML text of a catalogue, and the engine's reading of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from oracle import HOUR, OBenchmark, OItem, OStep

from detector.catalogue import Catalogue, read_catalogue
from detector.tomlfile import Problem


@lru_cache(1_000)  # a stream is judged many times over
def catalogue_of(items: tuple[OItem, ...], benchmarks: bool) -> Catalogue:
    """The items as the engine has them; benchmarks only once its catalogue knows them."""
    if not items:
        return Catalogue({})
    problems: list[Problem] = []
    text = "\n".join(line for item in items for line in item_lines(item, benchmarks))
    catalogue = read_catalogue({"catalogue/a.toml": text.encode()}, None, problems, [])
    assert not problems, "\n".join(map(str, problems))
    return catalogue


def item_lines(item: OItem, benchmarks: bool) -> Iterator[str]:
    """One item, line by line."""
    yield "[[items]]"
    yield from pairs(
        code=item.code, name=item.code, type=item.type, status=item.status, kind=item.kind,
        promised_days=item.promised_days, statutory_days=item.statutory_days,
        fee_yuan=yuan(item.fee_fen), incompatible={"pairs": item.pairs},
    )  # fmt: skip
    for step in item.flow:
        yield "[[items.steps]]"
        yield from step_lines(step)
    for benchmark in item.benchmarks if benchmarks else ():
        yield "[[items.benchmarks]]"
        yield from benchmark_lines(benchmark)


def step_lines(step: OStep) -> Iterator[str]:
    """One step of a flow; its limit must be one that hours can spell."""
    hours = None if step.limit_us is None else step.limit_us / HOUR
    yield from pairs(
        code=step.code, duty=step.duty, required=step.required, limit_hours=hours,
        documents=step.documents, fields=step.fields,
    )  # fmt: skip


def benchmark_lines(benchmark: OBenchmark) -> Iterator[str]:
    """One benchmark of a penalty."""
    yield from pairs(
        grade=benchmark.grade, party_kind=benchmark.party_kind,
        least_yuan=yuan(benchmark.least_fen), most_yuan=yuan(benchmark.most_fen),
        factors=benchmark.factors,
    )  # fmt: skip


def yuan(fen: int | None) -> str | None:
    """An amount as catalogues write it."""
    return None if fen is None else f"{fen // 100}.{fen % 100:02d}"


def pairs(**told: Any) -> Iterator[str]:
    """Keys with their values, those left out that have none."""
    for key, value in told.items():
        if value is None:
            continue
        if isinstance(value, dict):
            inner = ", ".join(pairs(**value))
            yield f"{key} = {{ {inner} }}"
        else:
            yield f"{key} = {json.dumps(value)}"
