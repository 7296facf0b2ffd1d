"""From blocks as they came to rows on a grid of one rate: bad samples are found, counted, and treated as was said."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spikebnn.arrays import F64, I64, Array
from spikebnn.errors import InputError
from spikebnn.stream.plan import DROP, HOLD, INTERPOLATE, KEEP, REFUSE, SourcePlan
from spikebnn.stream.sources.block import Block

MOST_PENDING = 4096  # rows that wait for a later reading, and rows of a gap that are filled
SET_BACK = 16  # rows behind their time, each later than the one before, that show that the clock was set back
NEAR = 3.5  # periods between two rows, at most, for a reading in between; where nothing is said of `longest`
BAD, CLIPPED, GAP = 1, 2, 4  # what is wrong with a reading
KINDS = {BAD: "bad", CLIPPED: "clipped", GAP: "gap"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Rows on the grid; row n stands for the time n / rate."""

    number: I64  # (rows,)
    values: Array  # (rows, channels); readings, or what an encoder made of them
    bad: Array  # (rows,) bool; some reading is not to be used
    mended: Array  # (rows,) bool; some reading was held or interpolated
    fresh: Array  # (rows,) bool; nothing before this row belongs to it
    labels: Array | None  # (rows,)

    def __len__(self) -> int:
        return len(self.number)

    def take(self, some: Any) -> Rows:
        """Some of the rows."""
        labels = None if self.labels is None else self.labels[some]
        return Rows(number=self.number[some], values=self.values[some], bad=self.bad[some], mended=self.mended[some],
                    fresh=self.fresh[some], labels=labels)  # fmt: skip


def together(parts: list[Rows]) -> Rows:
    """Rows one after another."""
    labelled = all(part.labels is not None for part in parts)
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in Rows.__slots__
        if name != "labels"
    }
    labels = np.concatenate([np.asarray(part.labels, object) for part in parts]) if labelled else None
    return Rows(labels=labels, **joined)


class Samples:
    """Takes blocks, gives rows, counts what was wrong. Its state is plain, so that a stream can be resumed.

    On a grid a row with a time lies as many slots behind the row before as the time between them says, rounded, so that
    clocks may drift. Slots that stay empty are gaps; a row of a slot that is filled or past is late. A gap longer
    than `longest` (4,096 rows where nothing is said) is not filled: what follows is fresh. Behind a clock that was set
    back, as 16 late rows in their order show, rows are fresh too.
    """

    def __init__(
        self, plan: SourcePlan, rate: float, times: str, full_scale: tuple[float, float] | None, name: str
    ) -> None:
        self.plan, self.rate, self.times, self.name = plan, rate, times, name
        self.limits = plan.limits if plan.limits is not None else full_scale
        self.action = {bit: plan.action(kind) for bit, kind in KINDS.items()}
        self.late_action = plan.action("late")
        rows = None if plan.longest is None else max(1, round(plan.longest * rate))
        self.hold_most, self.wait_most = rows or 2**62, min(rows or MOST_PENDING, MOST_PENDING)
        self.fill_most = min(rows or MOST_PENDING, MOST_PENDING)
        self.counts = dict.fromkeys(("rows", "bad", "clipped", "gap", "late", "mended"), 0)
        self.next = 0  # slot after the last one
        self.origin: float | None = None
        self.segment: str | None = None
        self.due = False  # the next row on the grid is fresh: the one that was is late
        self.due_kept = False  # the next row that is not dropped is fresh
        self.due_slot = False  # the next slot between rows is fresh
        self.behind = 0  # rows behind their time, one after another
        self.behind_time = 0.0  # of the last of them
        self.good: F64 | None = (
            None  # (channels,); the last good reading of each channel, NaN where there is none
        )
        self.good_at: I64 | None = None  # (channels,); its slot
        self.last_time: float | None = None  # of the last row that was not late
        self.last_values: F64 | None = None
        self.pending: Rows | None = None  # rows that wait for a later reading
        self.flags: Array | None = None  # (rows, channels), of the pending rows

    def push(self, block: Block) -> Rows | None:
        """The rows that are ready; None where there is none."""
        if not block.rows:
            return None
        rows, flags = self._grid(block)
        if rows is None or flags is None:
            return None
        rows.fresh[0] |= self.due_kept
        self.due_kept = False
        if self.pending is not None and self.flags is not None:
            rows = together([self.pending, rows])
            flags = np.concatenate([self.flags, flags])
            self.pending = self.flags = None
        return self._mend(rows, flags, last=False)

    def finish(self) -> Rows | None:
        """The rows that waited in vain."""
        if self.pending is None or self.flags is None:
            return None
        rows, flags = self.pending, self.flags
        self.pending = self.flags = None
        return self._mend(rows, flags, last=True)

    def state(self) -> dict[str, Any]:
        """Everything that must be known to go on."""
        plain = (
            "due",
            "due_kept",
            "due_slot",
            "behind",
            "behind_time",
            "counts",
            "next",
            "origin",
            "segment",
            "good",
            "good_at",
            "last_time",
            "last_values",
            "flags",
        )
        out = {name: getattr(self, name) for name in plain}
        out["counts"] = dict(self.counts)
        for name in ("good", "good_at"):
            out[name] = None if out[name] is None else out[name].copy()
        out["pending"] = (
            None if self.pending is None else {name: getattr(self.pending, name) for name in Rows.__slots__}
        )
        return out

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        for name, value in state.items():
            setattr(self, name, value)
        self.counts = dict(state["counts"])
        self.pending = None if state["pending"] is None else Rows(**state["pending"])

    def interrupted(self) -> None:
        """Rows were missed: a first row behind the last one's time shows at once that the clock began anew."""
        self.behind, self.behind_time = SET_BACK - 1, -math.inf

    def _grid(self, block: Block) -> tuple[Rows | None, Array | None]:
        """The block on the grid, gaps put in, late rows left out; and what is wrong with each reading."""
        values = np.array(block.values, np.float64)
        flags = np.where(np.isfinite(values), 0, BAD).astype(np.uint8)
        if self.limits is not None:
            low, high = self.limits
            with np.errstate(invalid="ignore"):
                flags[(values <= low) | (values >= high)] |= CLIPPED
        values *= self.plan.scale
        self.counts["rows"] += len(values)
        self.counts["bad"] += int((flags & BAD).any(axis=1).sum())
        self.counts["clipped"] += int((flags & CLIPPED).any(axis=1).sum())
        self._refuse(flags)
        labels = None if block.labels is None else np.asarray(block.labels)
        fresh = self._segments(block)
        if block.times is None or self.times == "rows":
            number = np.arange(self.next, self.next + len(values))
            self.next += len(values)
            return _rows(number, values, fresh, labels), flags
        if self.times == "linear":
            return self._pieces(block.times, values, flags, fresh, labels)
        return self._snap(block.times, values, flags, fresh, labels)

    def _snap(
        self, times: Array, values: Array, flags: Array, fresh: Array, labels: Array | None
    ) -> tuple[Rows | None, Array | None]:
        last, slot = self.last_time, self.next - 1
        slots = np.full(len(times), -1)
        anew = False  # a recording has begun, and none of its rows has a slot yet
        for k, time in enumerate(times.tolist()):  # each depends on the one before
            anew |= bool(fresh[k])
            step = _step(last, time, self.rate)
            if step == 0 and math.isfinite(time) and (anew or self._set_back(time, last)):
                step, fresh[k] = 1, True
            if step > 0:
                slot += step
                slots[k], last, self.behind, anew = slot, time, 0, False
        self.last_time = last
        good = slots >= 0
        self._late(good, times)
        fresh, self.due = _carried(fresh, good)
        if not good.any():
            return None, None
        slots, values, flags, fresh = slots[good], values[good], flags[good], fresh[good]
        labels = None if labels is None else labels[good]
        jump = np.diff(np.concatenate([[self.next - 1], slots])) - 1
        self.counts["gap"] += int(jump.sum())
        if jump.any() and self.action[GAP] == REFUSE:
            k = int(np.flatnonzero(jump)[0])
            raise InputError(
                f"{self.name}: {int(jump[k])} row{'s are' if jump[k] > 1 else ' is'} missing before the one at "
                f"{(int(slots[k])) / self.rate:g} s, and the policy for gaps is to refuse"
            )
        fresh |= jump > self.fill_most
        fill = np.where(jump > self.fill_most, 0, jump)
        if self.action[GAP] == DROP:
            fill[:] = 0
        self.next = int(slots[-1]) + 1
        if not fill.any():
            return _rows(slots, values, fresh, labels), flags
        place = np.arange(len(slots)) + np.cumsum(fill)  # where the rows stand among those of the gaps
        total = int(place[-1]) + 1
        whole, marks = (
            np.full((total, values.shape[1]), np.nan),
            np.full((total, values.shape[1]), GAP, np.uint8),
        )
        whole[place], marks[place] = values, flags
        number = np.zeros(total, np.int64)
        number[place] = slots
        behind = np.searchsorted(place, np.arange(total))  # the row that ends each gap
        number = slots[behind] - (place[behind] - np.arange(total))
        new = np.zeros(total, bool)
        new[place - fill] = fresh  # a gap before a fresh row belongs to it
        told = None
        if labels is not None:
            told = np.full(total, None, object)
            told[place] = np.asarray(labels, object)
        return _rows(number, whole, new, told), marks

    def _set_back(self, time: float, last: float | None) -> bool:
        """Whether with this row so many lie behind their time, in order among themselves: the clock was set back."""
        if last is None or not math.isfinite(time) or time > last:
            return False
        self.behind = self.behind + 1 if self.behind and time > self.behind_time else 1
        self.behind_time = time
        return self.behind == SET_BACK

    def _pieces(
        self, times: Array, values: Array, flags: Array, fresh: Array, labels: Array | None
    ) -> tuple[Rows | None, Array | None]:
        """Between rows of one recording alone: where a fresh row lies behind the one before, the clock begins anew."""
        anew, last, begun = [], self.last_time, False
        for k, time in enumerate(times.tolist()):
            begun |= bool(fresh[k])
            if not math.isfinite(time):
                continue
            if last is None or time > last:
                last, begun = time, False
            elif begun:
                anew.append(k)
                last, begun, fresh[k] = time, False, True
        done = []
        for start, stop in itertools.pairwise(sorted({0, *anew, len(times)})):
            some = slice(start, stop)
            if start in anew:
                self.last_time = self.last_values = None
            told = None if labels is None else labels[some]
            done.append(self._linear(times[some], values[some], flags[some], fresh[some], told))
        rows = [part for part, _ in done if part is not None]
        marks = [part for _, part in done if part is not None]
        return (together(rows), np.concatenate(marks)) if rows else (None, None)

    def _linear(
        self, times: Array, values: Array, flags: Array, fresh: Array, labels: Array | None
    ) -> tuple[Rows | None, Array | None]:
        """Readings between those of neighbouring rows; a slot between two rows too far apart is a gap."""
        timed = np.isfinite(times)
        before = np.maximum.accumulate(np.concatenate([[-np.inf if self.last_time is None else self.last_time],
                                                       np.where(timed, times, -np.inf)]))[:-1]  # fmt: skip
        good = timed & (times > before)
        self._late(good, times)
        fresh, self.due = _carried(fresh, good)
        if not good.any():
            return None, None
        times, values, flags, fresh = (
            times[good],
            np.where(flags[good] & BAD, np.nan, values[good]),
            flags[good],
            fresh[good],
        )
        labels = None if labels is None else np.asarray(labels, object)[good]
        new = fresh
        if self.origin is None or self.last_time is None or self.last_values is None:
            self.origin, known, seen = float(times[0]) - self.next / self.rate, times, values
        else:
            known, seen = (
                np.concatenate([[self.last_time], times]),
                np.concatenate([self.last_values[None], values]),
            )
            new = np.concatenate([[False], fresh])
        stop = int(np.floor((times[-1] - self.origin) * self.rate + 1e-9)) + 1
        self.last_time, self.last_values = float(times[-1]), values[-1].copy()
        slots = np.arange(self.next, stop)
        at = self.origin + slots / self.rate - 1e-9 / self.rate
        begins, places = np.zeros(len(slots), bool), np.searchsorted(at, times[fresh] - 2e-9 / self.rate)
        begins[places[places < len(slots)]] = True
        if len(slots):
            begins[0] |= self.due_slot
            self.due_slot = False
        self.due_slot |= bool((places == len(slots)).any())
        if not len(slots):
            return None, None
        self.next = stop
        right = np.clip(np.searchsorted(known, at), 0, len(known) - 1)
        left = np.maximum(right - 1, 0)
        off = (known[right] - at) * self.rate > 1e-6  # between two rows, not on one
        most = self.wait_most if self.plan.longest is not None else NEAR
        far = off & (((known[right] - known[left]) * self.rate > most) | new[right])
        share = np.where(
            off & (right > left), (at - known[left]) / np.maximum(known[right] - known[left], 1e-300), 1.0
        )[:, None]
        with np.errstate(invalid="ignore"):
            out = np.where(share >= 1, seen[right], seen[left] + (seen[right] - seen[left]) * share)
        marks = np.where(np.isfinite(out), 0, BAD).astype(np.uint8)
        marks[far], out[far] = GAP, np.nan
        self.counts["gap"] += int(far.sum())
        if far.any() and self.action[GAP] == REFUSE:
            raise InputError(
                f"{self.name}: no row is near {slots[far][0] / self.rate:g} s, and the policy for gaps is to refuse"
            )
        mine = np.clip(right - (len(known) - len(times)), 0, len(times) - 1)
        return _rows(slots, out, begins, None if labels is None else labels[mine]), marks

    def _segments(self, block: Block) -> Array:
        fresh = np.zeros(block.rows, bool)
        fresh[0], self.due = self.due, False
        if block.segments is None:
            return fresh
        codes = block.segments
        fresh[1:] = codes[1:] != codes[:-1]
        fresh[0] |= self.segment is not None and str(codes[0]) != self.segment
        self.segment = str(codes[-1])
        return fresh

    def _late(self, good: Array, times: Array) -> None:
        late = int((~good).sum())
        self.counts["late"] += late
        if late and self.late_action == REFUSE:
            k = int(np.flatnonzero(~good)[0])
            what = (
                "has a time that cannot be read"
                if not np.isfinite(times[k])
                else f"of {times[k]:.9g} s comes after a later one"
            )
            raise InputError(
                f"{self.name}: row {self.counts['rows'] - len(good) + k} {what}, and the policy for late rows is to refuse"
            )

    def _refuse(self, flags: Array) -> None:
        for bit in (BAD, CLIPPED):
            if self.action[bit] == REFUSE and (flags & bit).any():
                row = self.counts["rows"] - len(flags) + int(np.flatnonzero((flags & bit).any(axis=1))[0])
                what = "cannot be read as a finite number" if bit == BAD else "is clipped"
                raise InputError(
                    f"{self.name}: a reading in row {row} {what}, and the policy for {KINDS[bit]} readings is to refuse"
                )

    def _mend(self, rows: Rows, flags: Array, *, last: bool) -> Rows | None:
        """Treat the readings that are not to be used; rows that an interpolation waits for stay behind."""
        wrong = np.zeros(flags.shape, bool)
        wait, hold, drop = np.zeros_like(wrong), np.zeros_like(wrong), np.zeros_like(wrong)
        for bit, action in self.action.items():
            if action == KEEP:
                continue
            mine = (flags & bit) != 0
            wrong |= mine
            for where, word in ((wait, INTERPOLATE), (hold, HOLD), (drop, DROP)):
                if action == word:
                    where |= mine
        if drop.any():
            out: Array = np.asarray(drop.any(axis=1))
            fresh, self.due_kept = _carried(rows.fresh, ~out)
            rows = replace(rows, fresh=fresh).take(~out)
            wrong, wait, hold, flags = (part[~out] for part in (wrong, wait, hold, flags))
        if not len(rows):
            return None
        if not wrong.any() and not rows.fresh.any():
            self._remember(rows, wrong)
            return rows
        edges = [*np.flatnonzero(np.concatenate([[True], rows.fresh[1:]])).tolist(), len(rows)]
        parts = []
        for start, stop in itertools.pairwise(edges):
            some = slice(start, stop)
            done = self._part(
                rows.take(some), wrong[some], wait[some], hold[some], flags[some], last or stop < len(rows)
            )
            parts += [] if done is None else [done]
        return together(parts) if parts else None

    def _part(
        self, rows: Rows, wrong: Array, wait: Array, hold: Array, flags: Array, closed: bool
    ) -> Rows | None:
        """The rows of one segment."""
        if rows.fresh[0] or self.good is None or self.good_at is None:
            self.good, self.good_at = np.full(wrong.shape[1], np.nan), np.full(wrong.shape[1], -1)
        keep = len(rows)
        if wait.any() and not closed:  # a reading with no good one behind it yet waits, but not for ever
            for c in np.flatnonzero(wait[-1]).tolist():
                ok = np.flatnonzero(~wrong[:, c])
                begins = int(ok[-1]) + 1 if len(ok) else 0
                since = int(rows.number[ok[-1]]) if len(ok) else int(self.good_at[c])
                known = len(ok) > 0 or not np.isnan(self.good[c])
                if known and int(rows.number[-1]) - since <= self.wait_most:
                    keep = min(keep, begins)
        if keep < len(rows):
            self.pending, self.flags = rows.take(slice(keep, None)), flags[keep:]
            if not keep:
                return None
        values, left = np.array(rows.values), wrong.copy()
        x = rows.number
        for c in np.flatnonzero(wrong.any(axis=0)).tolist():
            ok = ~wrong[:, c]
            px, py = x[ok], values[ok, c]
            if not np.isnan(self.good[c]):
                px, py = np.concatenate([[self.good_at[c]], px]), np.concatenate([[self.good[c]], py])
            if not len(px):
                continue
            behind = np.searchsorted(px, x, "right") - 1  # the good reading before each row
            ahead = behind + 1
            inside = (behind >= 0) & (ahead < len(px))
            b, a = np.maximum(behind, 0), np.minimum(ahead, len(px) - 1)
            short = inside & (px[a] - px[b] - 1 <= self.wait_most)
            now = wait[:, c] & short
            values[now, c] = np.interp(x[now], px, py)
            left[now, c] = False
            now = hold[:, c] & (behind >= 0) & (x - px[b] <= self.hold_most)
            values[now, c] = py[b][now]
            left[now, c] = False
        values[left] = np.nan
        done = slice(0, keep)
        mended = (wrong & ~left)[done].any(axis=1)
        self.counts["mended"] += int(mended.sum())
        bad: Array = np.asarray(left[done].any(axis=1))
        whole = rows.take(done)
        self._remember(whole, wrong[done])
        return replace(whole, values=values[done], bad=bad, mended=whole.mended | mended)

    def _remember(self, rows: Rows, wrong: Array) -> None:
        """Keep the last good reading of every channel."""
        if self.good is None or self.good_at is None or rows.fresh[0]:
            self.good, self.good_at = np.full(wrong.shape[1], np.nan), np.full(wrong.shape[1], -1)
        ok = ~wrong
        at = len(rows) - 1 - ok[::-1].argmax(axis=0)
        found = ok.any(axis=0)
        self.good = np.where(found, rows.values[at, np.arange(wrong.shape[1])], self.good)
        self.good_at = np.where(found, rows.number[at], self.good_at)


def _step(last: float | None, time: float, rate: float) -> int:
    """Slots from one row's time to the next one's; 0 where there is no way forward."""
    if not math.isfinite(time) or (last is not None and time <= last):
        return 0
    return 1 if last is None else round((time - last) * rate)


def _rows(number: Array, values: Array, fresh: Array, labels: Array | None) -> Rows:
    none = np.zeros(len(number), bool)
    return Rows(number=number, values=values, bad=none, mended=none, fresh=fresh, labels=labels)


def _carried(fresh: Array, kept: Array) -> tuple[Array, bool]:
    """Where rows are left out, the next one kept is fresh in place of a fresh one; and whether that one is yet to come."""
    out, places = fresh.copy(), np.flatnonzero(kept)
    after = np.searchsorted(places, np.flatnonzero(fresh & ~kept))
    out[places[after[after < len(places)]]] = True
    return out, bool((after == len(places)).any())
