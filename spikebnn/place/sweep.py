"""One sweep of the annealer: try to move shards, one after the other, in blocks.

Plain loops, which Numba compiles as they are (`kernels`), and which `batch` does with whole arrays; all three
decide alike, bit for bit, because everything in here is an integer.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence

Ints = Sequence[int]


def sweep(
    first: Ints, other: Ints, weight: Ints, at: MutableSequence[int], who: MutableSequence[int],
    column: Ints, row: Ints, chip: Ints, gx: Ints, gy: Ints, grid: Ints, wide: int, high: int,
    wx: int, wy: int, wc: int, far: int, reach_x: int, reach_y: int,
    shard: Ints, pick: Ints, dx: Ints, dy: Ints, allow: Ints, block: int,
    stamp: MutableSequence[int], place: MutableSequence[int], goal: MutableSequence[int], change: MutableSequence[int],
) -> None:
    """Try len(shard) moves, and take those that cost at most `allow`; `at` and `who` change.

    first, other, weight: the packets of shard s with shard other[e] are weight[e], for e in first[s]..first[s+1]-1.
    at: place of each shard; who: shard on each place, or -1. column, row, chip: the router of each place; gx, gy: its
    core on the grid, and grid[gx * high + gy] leads back, -1 where no place is. wx, wy, wc: weights of hops and
    crossings; far: weight of each core beyond the reach, 0 where everything is in reach.
    Move k takes shard[k] to (dx, dy) from one of its partners, or from itself where pick[k] is -1, and brings the
    shard that sits there back. The moves of a block are weighed on the same state; of those that may be done, one
    that touches a place named before is left out. stamp (places,), place, goal and change (block,) are room to work.
    """
    moves = len(shard)
    for p in range(len(stamp)):
        stamp[p] = -1
    for begin in range(0, moves, block):
        end = min(begin + block, moves)
        for k in range(begin, end):
            s = shard[k]
            p = at[s]
            goal[k - begin] = -1
            degree = first[s + 1] - first[s]
            base = p
            if pick[k] >= 0 and degree > 0:
                base = at[other[first[s] + pick[k] % degree]]
            x, y = gx[base] + dx[k], gy[base] + dy[k]
            if x < 0 or y < 0 or x >= wide or y >= high:
                continue
            q = grid[x * high + y]
            if q < 0 or q == p:
                continue
            t = who[q]
            delta = 0
            for e in range(first[s], first[s + 1]):
                if other[e] != t:
                    o = at[other[e]]
                    d = wx * (abs(column[q] - column[o]) - abs(column[p] - column[o]))
                    d += wy * (abs(row[q] - row[o]) - abs(row[p] - row[o]))
                    d += wc * (abs(chip[q] - chip[o]) - abs(chip[p] - chip[o]))
                    if far > 0:
                        d += far * (max(abs(gx[q] - gx[o]) - reach_x, 0) - max(abs(gx[p] - gx[o]) - reach_x, 0))
                        d += far * (max(abs(gy[q] - gy[o]) - reach_y, 0) - max(abs(gy[p] - gy[o]) - reach_y, 0))
                    delta += weight[e] * d
            if t >= 0:
                for e in range(first[t], first[t + 1]):
                    if other[e] != s:
                        o = at[other[e]]
                        d = wx * (abs(column[p] - column[o]) - abs(column[q] - column[o]))
                        d += wy * (abs(row[p] - row[o]) - abs(row[q] - row[o]))
                        d += wc * (abs(chip[p] - chip[o]) - abs(chip[q] - chip[o]))
                        if far > 0:
                            d += far * (max(abs(gx[p] - gx[o]) - reach_x, 0) - max(abs(gx[q] - gx[o]) - reach_x, 0))
                            d += far * (max(abs(gy[p] - gy[o]) - reach_y, 0) - max(abs(gy[q] - gy[o]) - reach_y, 0))
                        delta += weight[e] * d
            place[k - begin], goal[k - begin], change[k - begin] = p, q, delta
        for k in range(begin, end):
            p, q = place[k - begin], goal[k - begin]
            if q < 0 or change[k - begin] > allow[k]:
                continue
            free = stamp[p] != begin and stamp[q] != begin
            stamp[p] = stamp[q] = begin
            if free:
                s, t = who[p], who[q]
                at[s], who[q], who[p] = q, s, t
                if t >= 0:
                    at[t] = p
