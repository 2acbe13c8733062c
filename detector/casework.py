"""What learners of whole cases do case by case, in compiled code: as columns would tell it."""

from __future__ import annotations

from typing import Any

import numpy as np

from detector.compiled import CODES, COLUMN, FLAGS, NUMBER, ODD, TABLE, brief, inner, together

MIX, FREE = np.uint64(0x9E3779B97F4A7C15), -(1 << 63)  # as `ways` has them
SERIES = together(COLUMN, COLUMN)  # numbers one behind the other, and where each series begins
WALKED = together(COLUMN, CODES)  # keys by hash (`FREE`: none), and of each its beginning
TREE = together(COLUMN, COLUMN, COLUMN)  # of beginnings: the one before, the last step, the depth
SHOWN = together(COLUMN, COLUMN, COLUMN, COLUMN, COLUMN, COLUMN)  # as `totals.SHOWN` names them


# --- series: which are alike ----------------------------------------------------------------------


@inner
def _first_place(flat: Any, begin: int, end: int, last: int) -> int:
    """Where a series would stand in a table by hash, if nothing stood in its way."""
    mixed = end - begin
    for k in range(begin, end):
        mixed = (mixed ^ flat[k]) * ODD
        mixed ^= (mixed >> 32) & 0xFFFFFFFF
    return mixed & last


@inner
def _equal(flat: Any, begin: int, end: int, other: Any, at: int) -> int:
    for k in range(begin, end):
        if flat[k] != other[at + k - begin]:
            return 0
    return 1


@brief(COLUMN, SERIES, NUMBER, NUMBER)
def plant(places: Any, held: Any, first: int, end: int) -> None:
    """Distinct series into the table, which has room for them."""
    flat, begins = held
    last = len(places) - 1
    for n in range(first, end):
        at = _first_place(flat, begins[n], begins[n + 1], last)
        while places[at] >= 0:
            at = (at + 1) & last
        places[at] = n


@brief(COLUMN, SERIES, SERIES, COLUMN, COLUMN)
def number(out: Any, given: Any, held: Any, used: Any, places: Any) -> None:
    """The number of each series given; those that are not held yet join them. So many are: `used`.
    There is room for all."""
    flat, begins = given
    pool, ends = held
    last, many = len(places) - 1, used[0]
    for n in range(len(out)):
        begin, end = begins[n], begins[n + 1]
        at = _first_place(flat, begin, end, last)
        while True:
            one = places[at]
            if one < 0:
                there = ends[many]
                for k in range(begin, end):
                    pool[there + k - begin] = flat[k]
                ends[many + 1] = there + end - begin
                places[at] = one = many
                many += 1
                break
            if ends[one + 1] - ends[one] == end - begin and _equal(
                flat, begin, end, pool, ends[one]
            ):
                break
            at = (at + 1) & last
        out[n] = one
    used[0] = many


# --- open cases, and their beginnings -------------------------------------------------------------


@brief(COLUMN, CODES, FLAGS, FLAGS, COLUMN)
def take_up(rows: Any, case: Any, closes: Any, done: Any, used: Any) -> None:
    """The rows that do not come behind the first close of their case; so many are: `used`. `done`
    tells the cases that were closed before, and is left as it was."""
    many = 0
    for row in range(len(case)):
        if not done[case[row]]:
            rows[many] = row
            many += 1
            done[case[row]] = closes[row]
    for n in range(many):
        done[case[rows[n]]] = False
    used[0] = many


@brief(COLUMN, COLUMN, COLUMN, NUMBER)
def trace(begins: Any, last: Any, back: Any, most: int) -> None:
    """Where the steps of each case begin that end at `last`, of each `most` at most."""
    for n in range(len(last)):
        at, size = last[n], 0
        while at >= 0 and size < most:
            at, size = back[at], size + 1
        begins[n + 1] = begins[n] + size


@brief(COLUMN, COLUMN, COLUMN, COLUMN)
def follow(steps: Any, begins: Any, last: Any, back: Any) -> None:
    """Those steps, one case behind the other."""
    for n in range(len(last)):
        at = last[n]
        for k in range(begins[n + 1] - 1, begins[n] - 1, -1):
            steps[k] = at
            at = back[at]


@brief(COLUMN, COLUMN, COLUMN, COLUMN, WALKED, TREE, COLUMN)
def walk(out: Any, before: Any, steps: Any, begins: Any, table: Any, tree: Any, state: Any) -> None:
    """What `Ways.walk` tells, as far as there is room. `state`: beginnings and keys so far, the run
    and the step to go on with, the bits of a hash that are dropped, the greatest depth, and places
    a key."""
    keys, nodes = table
    earlier, taken, depth = tree
    known, entries, run, k = state[0], state[1], state[2], state[3]
    last, drop = len(keys) - 1, np.uint64(state[4])
    while run < len(before):
        node = before[run] if k == begins[run] else out[k - 1]
        while k < begins[run + 1]:
            key = (node << 32) + steps[k] + 1
            at = np.int64((np.uint64(key) * MIX) >> drop)
            while keys[at] != key and keys[at] != FREE:
                at = (at + 1) & last
            if keys[at] == FREE:
                if known == len(depth) or (entries + 1) * state[6] > len(keys):
                    state[0], state[1], state[2], state[3] = known, entries, run, k
                    return
                deep = depth[node] + 1 if node > 0 else 1
                keys[at], nodes[at], entries = key, 0, entries + 1
                if node != 0 and deep <= state[5]:
                    earlier[known], taken[known], depth[known] = node, steps[k], deep
                    nodes[at], known = known, known + 1
            node = out[k] = nodes[at]
            k += 1
        run += 1
    state[0], state[1], state[2], state[3] = known, entries, run, k


# --- totals: what the records of a case come to ---------------------------------------------------


@inner
def _distinct(codes: Any, begin: int, end: int) -> int:
    many = 0
    for k in range(begin, end):
        new = 1 if codes[k] >= 0 else 0
        for j in range(begin, k):
            if codes[j] == codes[k]:
                new = 0
                break
        many += new
    return many


@brief(TABLE, COLUMN, SHOWN, NUMBER, NUMBER)
def total(out: Any, begins: Any, shown: Any, not_given: int, most: int) -> None:
    """Of each case what `totals` tells; `out` is zeros."""
    gap, step, operator, returns, paid, fine = shown
    for n in range(len(out)):
        begin, end = begins[n], begins[n + 1]
        for k in range(begin, end):
            if gap[k] != not_given:
                one = min(max(gap[k], 0), most)
                out[n, 0] += one
                out[n, 1] = max(out[n, 1], one)
            out[n, 5] += returns[k]
            if paid[k] != not_given:
                out[n, 6] += min(max(paid[k], 0), most)
            if fine[k] != not_given:
                out[n, 7] = max(out[n, 7], min(fine[k], most))
        out[n, 2] = end - begin
        out[n, 3], out[n, 4] = _distinct(step, begin, end), _distinct(operator, begin, end)
