"""What learners of `counting` do row by row, in compiled code: the same formulas, to the last bit.

`known` of contexts: places by hash (a context and its place a row, -1: none; the rows are a power
of two, at least half of them free), where each context's keys begin, and where the last one's end,
how often each context was seen, and keys with how often each was. A key is its context and a value.
"""

from __future__ import annotations

from typing import Any

from detector.compiled import COLUMN, GIVEN, NUMBER, ODD, REALS, TABLE, brief, inner, together

KNOWN = together(TABLE, COLUMN, COLUMN, COLUMN, COLUMN)
COUNTS = together(COLUMN, COLUMN, TABLE, TABLE)  # having, repeating, first, last: `relations`
WAY = together(COLUMN, COLUMN, COLUMN)  # steps, and where each is first and last
SERIES = together(COLUMN, COLUMN)  # numbers one behind the other, and where each series begins
TREES = together(TABLE, TABLE)  # dimension and cut of each node, a tree a row


# --- contexts: values by what they were seen with -------------------------------------------------


@inner
def _slot(places: Any, context: int) -> int:
    """Where the context stands, or the free place where it would."""
    last = len(places) - 1
    at = ((context * ODD) >> 40) & last
    while places[at, 1] >= 0 and places[at, 0] != context:
        at = (at + 1) & last
    return at


@brief(TABLE, COLUMN)
def enter(places: Any, contexts: Any) -> None:
    """Contexts into a free table."""
    for n in range(len(contexts)):
        at = _slot(places, contexts[n])
        places[at, 0] = contexts[n]
        places[at, 1] = n


@brief(REALS, GIVEN, GIVEN, NUMBER, NUMBER, KNOWN)
def along(p: Any, context: Any, value: Any, bits: int, first: int, known: Any) -> None:
    """The chance of each value by one more context (Witten and Bell); that of a chain that has
    ended is below 0. `first`: the chains begin here. `bits`: of a key, its value's."""
    places, begins, totals, keys, counts = known
    for k in range(len(p)):
        chance = p[k]
        if not first and chance < 0:
            continue
        at = places[_slot(places, context[k]), 1]
        if at < 0:
            p[k] = -1.0 if first else -chance
            continue
        low, high = begins[at], begins[at + 1]
        total, distinct = totals[at], high - low
        if first:
            chance = 1.0 / float(distinct + 1)
        end, key = high, (context[k] << bits) | value[k]
        while low < high:
            middle = (low + high) >> 1
            if keys[middle] < key:
                low = middle + 1
            else:
                high = middle
        seen = counts[low] if low < end and keys[low] == key else 0
        p[k] = (float(seen) + float(distinct) * chance) / float(max(total + distinct, 1))


@brief(COLUMN, COLUMN, COLUMN, COLUMN, COLUMN, COLUMN)
def merge(keys: Any, counts: Any, used: Any, old: Any, times: Any, more: Any) -> None:
    """Into `keys` and `counts` those counted so far, `times` each, and `more`, which may come
    several times; all rise. How many there are now: `used`."""
    n, i, k = 0, 0, 0
    while i < len(old) or k < len(more):
        key = old[i] if k == len(more) or (i < len(old) and old[i] < more[k]) else more[k]
        keys[n], counts[n] = key, 0
        if i < len(old) and old[i] == key:
            counts[n] = times[i]
            i += 1
        while k < len(more) and more[k] == key:
            counts[n] += 1
            k += 1
        n += 1
    used[0] = n


# --- processes: each step of each item by its own number ------------------------------------------


@brief(TABLE, COLUMN, SERIES, TABLE, TABLE)
def placed(out: Any, items: Any, cases: Any, places: Any, rows: Any) -> None:
    """Of each event its step, slot and item's slot, columns of `out`. `places`: `rows` by item and
    step, an item itself by step 0; the last row is that of an item that is not there."""
    steps, begins = cases
    for n in range(len(items)):
        item = places[_slot(places, items[n] << 32), 1]
        for k in range(begins[n], begins[n + 1]):
            at = item
            if item >= 0:
                own = places[_slot(places, items[n] << 32 | steps[k]), 1]
                at = own if own >= 0 else item
            for c in range(3):
                out[c, k] = rows[at, c]


# --- relations: steps of one case against each other ----------------------------------------------


@inner
def _odds(k: int, n: int) -> float:
    return (float(max(k, 0)) + 0.5) / float(max(n, 0) + 1)


@brief(REALS, WAY, COUNTS, NUMBER)
def least_odds(out: Any, way: Any, counts: Any, own: int) -> None:
    """The least odds of any relation of a case's steps, 1 where nothing is known."""
    steps, begins, ends = way
    having, repeating, first, last = counts
    least = 1.0
    for i in range(len(steps)):
        b = steps[i]
        if begins[i] < ends[i] and having[b] > own:
            least = min(least, _odds(repeating[b] - own, having[b] - own))
        for j in range(len(steps)):
            a = steps[j]
            both = first[a, b] + first[b, a] - own
            if begins[j] < begins[i] and both > 0:
                least = min(least, _odds(first[a, b] - own, both))
            both = last[a, b] + last[b, a] - own
            if ends[j] < ends[i] and both > 0:
                least = min(least, _odds(last[a, b] - own, both))
        if having[b] <= own:
            continue
        j = 0
        for a in range(len(having)):  # no a before the first b
            if j < len(steps) and steps[j] == a:
                j += 1
                if begins[j - 1] <= begins[i] or having[a] <= own:
                    continue
            if having[a] > 0:
                least = min(least, _odds(having[b] - own - first[a, b], having[b] - own))
    out[0] = least


@inner
def _rarer(best: Any, least: float, related: Any, k: int, n: int) -> float:
    """The lesser odds; whose they are, if they are less than `least`, is noted."""
    odds = (float(max(k, 0)) + 0.5) / float(n + 1)
    if n <= 0 or odds >= least:
        return least
    best[0], best[1], best[2] = related
    best[3], best[4] = max(k, 0), n
    return odds


@brief(COLUMN, WAY, COUNTS, NUMBER)
def rarest(best: Any, way: Any, counts: Any, own: int) -> None:
    """The first relation with the least odds of a case's steps: kind, two steps, k and n; n stays
    as it is where nothing is known."""
    steps, begins, ends = way
    having, repeating, first, last = counts
    least = 2.0
    for kind, at, seen in ((0, begins, first), (1, ends, last)):
        for i in range(len(steps)):
            for j in range(len(steps)):
                a, b = steps[i], steps[j]
                if at[i] < at[j]:
                    both = seen[a, b] + seen[b, a] - own
                    least = _rarer(best, least, (kind, a, b), seen[a, b] - own, both)
    for i in range(len(steps)):
        b = steps[i]
        if begins[i] < ends[i]:
            least = _rarer(best, least, (2, b, b), repeating[b] - own, having[b] - own)
    j = 0
    for a in range(len(having)):  # no a before the first b
        mine = j < len(steps) and steps[j] == a
        for i in range(len(steps)):
            b = steps[i]
            if having[a] > (own if mine else 0) and (not mine or begins[j] > begins[i]):
                without = having[b] - first[a, b] - own
                least = _rarer(best, least, (3, b, a), without, having[b] - own)
        j += 1 if mine else 0


@brief(TABLE, COLUMN, SERIES, COLUMN, COUNTS)
def decide(out: Any, mine: Any, cases: Any, before: Any, counts: Any) -> None:
    """Of these beginnings of cases what `beginnings.decided` tells, a row each. `before`: zeros,
    one a step; so they are left."""
    steps, begins = cases
    having, repeating, first, _ = counts
    for row in range(len(mine)):
        begin, last = begins[mine[row]], begins[mine[row] + 1] - 1
        b = steps[last]
        for j in range(begin, last):
            before[steps[j]] += 1
        least, out[row, 0], out[row, 1], out[row, 2] = 1.0, 0, 0, 0
        for a in range(len(having)):
            if a == b:
                k, n = repeating[b], having[b] if before[b] == 1 else 0
            elif before[b] > 0 or b < 2:
                n = 0
            elif before[a] > 0:
                k, n = first[a, b], first[a, b] + first[b, a]
            else:
                k, n = having[b] - first[a, b], having[b] if having[a] > 0 else 0
            if n > 0:
                odds = (float(k) + 0.5) / float(n + 1)
                if odds < least:
                    least, out[row, 0], out[row, 1], out[row, 2] = odds, k, n, a
        for j in range(begin, last):
            before[steps[j]] = 0


@brief(COUNTS, WAY, NUMBER)
def count_way(counts: Any, way: Any, times: int) -> None:
    """So many cases that go this way."""
    steps, begins, ends = way
    having, repeating, first, last = counts
    for i in range(len(steps)):
        b = steps[i]
        having[b] += times
        if begins[i] < ends[i]:
            repeating[b] += times
        for j in range(len(steps)):
            if begins[j] < begins[i]:
                first[steps[j], b] += times
            if ends[j] < ends[i]:
                last[steps[j], b] += times


# --- half-space trees -----------------------------------------------------------------------------


@brief(TABLE, TABLE, TREES)
def leaves(out: Any, points: Any, trees: Any) -> None:
    """Where each point falls to in each tree: places in a flat column of all trees' leaves."""
    dimension, cut = trees
    size = dimension.shape[1]
    for n in range(len(points)):
        for tree in range(len(dimension)):
            node = 1
            while node < size:
                right = points[n, dimension[tree, node]] >= cut[tree, node]
                node += node + (1 if right else 0)
            out[n, tree] = node - size + tree * size


@brief(COLUMN, TABLE, COLUMN, COLUMN, NUMBER)
def crowd(around: Any, fallen: Any, times: Any, mass: Any, cases: Any) -> None:
    """Of each leaf what `HalfSpaces.around` tells, of cases that fell to these (points, trees), so
    many `times`. `mass`: room for the nodes of a tree."""
    trees, size = fallen.shape[1], len(mass) // 2
    for tree in range(trees):
        mass[:] = 0
        for n in range(len(fallen)):
            mass[size + fallen[n, tree] - tree * size] += times[n]
        for node in range(size - 1, 0, -1):
            mass[node] = mass[2 * node] + mass[2 * node + 1]
        node, depth = 1, 0
        while node < 2 * size:  # from here on a node holds how crowded it is, below 0: too many
            for at in range(node, 2 * node):
                above = mass[at >> 1] if at > 1 else -1
                if above >= 0:
                    mass[at] = above
                elif mass[at] * 10 <= cases or node == size:
                    mass[at] = mass[at] << depth
                else:
                    mass[at] = -1
            node, depth = 2 * node, depth + 1
        for leaf in range(size):
            around[tree * size + leaf] = mass[size + leaf]
