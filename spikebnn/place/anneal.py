"""Simulated annealing: shards swap places, at first also where it costs, until the packets' ways are short.

Kirkpatrick, Gelatt and Vecchi 1983; that the range of the moves shrinks with the temperature, and that a shard may be
pulled towards a partner, are old habits of placers for gate arrays. No step rounds differently on another machine:
sums are of integers, and chance is made of arithmetic alone. A net of n shards, n large, is given 300 n moves,
and a move looks at the partners of two shards, so the time grows with the number of pairs of shards that talk.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from spikebnn.arrays import I64
from spikebnn.place.mesh import Mesh, Weights, way_of
from spikebnn.place.types import Flow

STEPS = 60  # temperatures
FEW, MANY = 5, 20  # moves per shard and temperature: of large nets, and of small ones, which can afford more
HOT, COOLING = 0.45, 0.89  # first temperature as a share of a shard's mean cost; each further one as a share of the last
PULLED = 0.5  # moves that go to a partner's neighbourhood
BLOCKS = 16  # a block holds one of this many shards
LAST = 4  # temperatures of zero at the end
TOTAL = 2.0**34  # the packets of all pairs, as integers, make about this much
SMALL = 50_000  # moves up to which plain loops beat the start of a compiler

Sweep = Callable[..., None]


def anneal(flow: Flow, mesh: Mesh, weights: Weights, start: I64, seed: int, reach: tuple[int, int] | None) -> I64:
    """Places of the shards, never worse than `start` (shards,); the same for the same seed, on every machine.

    `reach` keeps every packet within so many cores in x and in y, as far as `start` does.
    """
    shards, best = len(start), start
    cost = way_of(flow, mesh, start, weights).weighed
    if shards < 2 or not cost:
        return start
    tables = _Tables(flow, shards, mesh, weights, reach)
    rng = np.random.default_rng(seed)
    at = start.copy()
    who = np.full(len(mesh.place), -1, np.int64)
    who[at] = np.arange(shards)
    moves, block = moves_of(shards), max(1, shards // BLOCKS)
    least = tables.cost(at)
    heat = HOT * least / shards
    sweep, plain = _sweep(moves * STEPS)
    room = [np.zeros(len(mesh.place), np.int64), *(np.zeros(block, np.int64) for _ in range(3))]
    state = [at, who]
    fixed = [tables.first, tables.other, tables.weight]
    board = [mesh.column, mesh.row, np.ascontiguousarray(mesh.chip), tables.gx, tables.gy, tables.grid]
    if plain:
        room, state, fixed, board = ([a.tolist() for a in group] for group in (room, state, fixed, board))
    numbers = (tables.wide, tables.high, weights.x, weights.y, weights.crossing, tables.far, *tables.reach)
    for step in range(STEPS):
        left = 1 - step / (STEPS - 1)
        radius = max(1, round(0.5 * math.sqrt(shards) * left * math.sqrt(left)))
        draws = _draw(rng, shards, moves, radius, heat if step < STEPS - LAST else 0.0)
        heat *= COOLING
        sweep(*fixed, *state, *board, *numbers, *((d.tolist() for d in draws) if plain else draws), block, *room)
        if step >= STEPS - LAST:
            now = np.array(state[0], np.int64)
            if tables.cost(now) < least:
                least, best = tables.cost(now), now
    return best


def moves_of(shards: int) -> int:
    """Moves per temperature: a handful for tiny nets, 20 per shard for some hundred shards, 5 for thousands."""
    return shards * max(min(FEW, shards), min(MANY, shards // 5, 4000 // shards))


def _draw(rng: np.random.Generator, shards: int, moves: int, radius: int, heat: float) -> list[I64]:
    """Moves of one temperature: shard, partner or -1, dx, dy, and the most that the move may cost."""
    shard = rng.integers(0, shards, moves)
    pulled = rng.random(moves) < PULLED
    pick = np.where(pulled, rng.integers(0, 1 << 30, moves), -1)
    dx, dy = (
        np.where(pulled, rng.integers(-2, 3, moves), rng.integers(-radius, radius + 1, moves)) for _ in range(2)
    )
    part, power = np.frexp(1.0 - rng.random(moves))
    luck = 2 * (1 - part) - power  # -log2 of a number in 0..1, drawn straight between powers of two
    allow = np.floor(heat * math.log(2) * luck).astype(np.int64) if heat else np.full(moves, -1, np.int64)
    return [shard, pick, dx, dy, allow]


def _sweep(moves: int) -> tuple[Sweep, bool]:
    """The fastest sweep at hand, and whether it wants lists."""
    from spikebnn.place.batch import sweep_batch
    from spikebnn.place.sweep import sweep

    if moves <= SMALL:
        return sweep, True
    try:
        from spikebnn.place.kernels import compiled
    except ImportError:
        return sweep_batch, False
    return compiled, False


class _Tables:
    """Flow and mesh as integer tables, as a sweep reads them."""

    def __init__(
        self, flow: Flow, shards: int, mesh: Mesh, weights: Weights, reach: tuple[int, int] | None
    ) -> None:
        self.pair, self.mesh, self.weights = (flow.a, flow.b), mesh, weights
        scale = min(4096.0, TOTAL / max(1.0, math.fsum(flow.packets)))
        self.packets = np.maximum(1, np.rint(flow.packets * scale)).astype(np.int64)
        self.packets[flow.packets == 0] = 0
        ends = np.concatenate([flow.a, flow.b]), np.concatenate([flow.b, flow.a])
        order = np.lexsort(ends[::-1])
        self.first = np.searchsorted(ends[0][order], np.arange(shards + 1)).astype(np.int64)
        self.other, self.weight = ends[1][order], np.tile(self.packets, 2)[order]
        chip, x, y = mesh.place.T
        width = 1 + int(x.max())
        self.high = 1 + int(y.max())
        self.gx, self.gy = chip * width + x, y.copy()
        self.wide = 1 + int(self.gx.max())
        self.grid = np.full(self.wide * self.high, -1, np.int64)
        self.grid[self.gx * self.high + self.gy] = np.arange(len(chip))
        self.reach = reach or (0, 0)
        bound = reach is not None and (self.wide - 1 > reach[0] or self.high - 1 > reach[1])
        self.far = 64 * weights.x * self.wide if bound else 0

    def cost(self, at: I64) -> int:
        """All packets' ways, weighed, as an integer."""
        m, w = self.mesh, self.weights
        a, b = (at[end] for end in self.pair)
        way = w.x * np.abs(m.column[a] - m.column[b]) + w.y * np.abs(m.row[a] - m.row[b])
        way += w.crossing * np.abs(m.chip[a] - m.chip[b])
        if self.far:
            way += self.far * np.maximum(np.abs(self.gx[a] - self.gx[b]) - self.reach[0], 0)
            way += self.far * np.maximum(np.abs(self.gy[a] - self.gy[b]) - self.reach[1], 0)
        return int(self.packets @ way)
