"""The annealer's sweep without Numba: a block of moves at once, by whole arrays; it decides as `sweep` does."""

from __future__ import annotations

import numpy as np

from spikebnn.arrays import I64, Array


def sweep_batch(
    first: I64, other: I64, weight: I64, at: I64, who: I64,
    column: I64, row: I64, chip: I64, gx: I64, gy: I64, grid: I64, wide: int, high: int,
    wx: int, wy: int, wc: int, far: int, reach_x: int, reach_y: int,
    shard: I64, pick: I64, dx: I64, dy: I64, allow: I64, block: int,
    stamp: I64, place: I64, goal: I64, change: I64,
) -> None:
    """Arguments and effect are those of `spikebnn.place.sweep.sweep`; the last four are not needed."""

    def way(here: Array, there: Array) -> Array:
        out: Array = wx * np.abs(column[here] - column[there]) + wy * np.abs(row[here] - row[there])
        out += wc * np.abs(chip[here] - chip[there])
        if far > 0:
            out += far * np.maximum(np.abs(gx[here] - gx[there]) - reach_x, 0)
            out += far * np.maximum(np.abs(gy[here] - gy[there]) - reach_y, 0)
        return out

    def gain(moved: Array, but: Array, old: Array, new: Array) -> Array:
        """What the packets of `moved` pay more on the new place, those with `but` left out."""
        size = first[moved + 1] - first[moved]
        end = np.cumsum(size)
        edge = np.arange(int(size.sum())) + np.repeat(first[moved] - end + size, size)
        partner, owner = other[edge], np.repeat(np.arange(len(moved)), size)
        o = at[partner]
        each = np.where(partner == but[owner], 0, weight[edge] * (way(new[owner], o) - way(old[owner], o)))
        run = np.concatenate([[0], np.cumsum(each)])
        return np.asarray(run[end] - run[end - size])

    degree = first[1:] - first[:-1]
    for begin in range(0, len(shard), block):
        now = slice(begin, begin + block)
        s, up = shard[now], allow[now]
        p = at[s]
        near = (pick[now] >= 0) & (degree[s] > 0)
        base = p.copy()
        base[near] = at[other[first[s[near]] + pick[now][near] % degree[s[near]]]]
        x, y = gx[base] + dx[now], gy[base] + dy[now]
        inside = (x >= 0) & (y >= 0) & (x < wide) & (y < high)
        q = np.where(inside, grid[np.where(inside, x * high + y, 0)], -1)
        some = np.flatnonzero((q >= 0) & (q != p))
        s, p, q, up = s[some], p[some], q[some], up[some]
        t = who[q]
        delta = gain(s, t, p, q)
        pair = np.flatnonzero(t >= 0)
        delta[pair] += gain(t[pair], s[pair], q[pair], p[pair])
        done = np.flatnonzero(delta <= up)
        if not len(done):
            continue
        touched = np.stack([p[done], q[done]], axis=1).reshape(-1)
        _, earliest, which = np.unique(touched, return_index=True, return_inverse=True)
        fresh = earliest[which.reshape(-1)].reshape(-1, 2)
        done = done[(fresh == np.arange(2 * len(done)).reshape(-1, 2)).all(axis=1)]
        s, p, q, t = s[done], p[done], q[done], t[done]
        at[s], who[q], who[p] = q, s, t
        pair = np.flatnonzero(t >= 0)
        at[t[pair]] = p[pair]
