"""EDF and BDF, the data formats of ECG and EEG recorders, by the package edfio."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from spikebnn.arrays import Array
from spikebnn.errors import InputError
from spikebnn.stream.plan import SourcePlan
from spikebnn.stream.sources.block import ROWS, Block, Position, chosen, file_digest

NEEDS = 'needs the package edfio: pip install "spikebnn[sensors]"'


class Edf:
    """Signals in their physical units; those of one sampling rate can be read together.

    With labels "annotations" a row bears the text of the annotation that holds it, the latest where several do; one
    without a duration lasts until the next.
    """

    live, events, exact, regular, full_scale = False, False, True, True, None

    def __init__(self, plan: SourcePlan) -> None:
        try:
            import edfio
        except ImportError:
            raise InputError(f"{plan.file}: an EDF recording {NEEDS}") from None
        self.name = plan.file
        try:
            if plan.file.lower().endswith(".bdf"):
                self._file: Any = edfio.read_bdf(plan.file)
            else:
                self._file = edfio.read_edf(plan.file, lazy_load_data=True)
            labels = tuple(str(label) for label in self._file.labels)
            rates = [float(signal.sampling_frequency) for signal in self._file.signals]
            whole = self._file.is_continuous
        except OSError as error:
            raise InputError(
                f"{plan.file}: cannot be opened: {(error.strerror or 'the system refused').lower()}"
            ) from None
        except Exception as error:
            raise InputError(
                f"{plan.file}: this is no EDF recording that can be read: {_first(error)}"
            ) from None
        if not labels:
            raise InputError(f"{plan.file}: the recording holds no signal")
        if not whole:
            raise InputError(
                f"{plan.file}: the recording has interruptions (EDF+D), which are not read; save it as EDF+C"
            )
        for name in plan.columns:
            if labels.count(name) > 1:
                raise InputError(f"{plan.file}: two signals are called {name!r}; give them different names")
        at = chosen(plan.file, plan.columns, labels)
        self.channels, self.rate = tuple(labels[k] for k in at), rates[at[0]]
        self._signals = [self._file.signals[k] for k in at]
        if len({rates[k] for k in at}) > 1:
            listed = ", ".join(f"{labels[k]} {rates[k]:g} Hz" for k in at)
            raise InputError(
                f"{plan.file}: the signals have different rates ({listed}); name channels of one rate"
            )
        self._marks = _marks(self._file) if plan.labels == "annotations" else None
        if plan.labels not in (None, "annotations"):
            raise InputError(
                f'{plan.file}: an EDF recording has labels from "annotations" or a .csv of marks, found {plan.labels!r}'
            )

    def blocks(self, position: Position) -> Iterator[Block]:
        record = Fraction(self._file.data_record_duration).limit_denominator(10**6)
        per = self._signals[0].samples_per_data_record
        total = per * self._file.num_data_records
        step = per * max(1, ROWS // per)
        for row in range(int(position.get("row", 0)), total, step):
            stop = min(row + step, total)
            start_s, stop_s = float(record * row / per), float(record * stop / per)
            parts = [signal.get_data_slice(start_s, stop_s) for signal in self._signals]
            yield Block(
                values=np.stack(parts, axis=1).astype(np.float64),
                position={"row": stop},
                labels=None
                if self._marks is None
                else marked(self._marks, np.arange(row, stop) * float(record / per)),
            )

    def digest(self) -> str:
        return file_digest(self.name)

    def lost(self) -> int:
        return 0


Marks = list[tuple[float, float, str]]  # start, stop, text


def marked(marks: Marks, times: Array) -> Array:
    """The text of the mark that holds each time; the latest to start where several do, None where none does."""
    out = np.full(len(times), None, object)
    if np.isfinite(times).any():
        low, high = np.nanmin(times), np.nanmax(times)
        for start, stop, text in marks:
            if start <= high and stop > low:
                out[(times >= start) & (times < stop)] = text
    return out


def _marks(file: Any) -> Marks:
    found = sorted(
        ((float(a.onset), a.duration, str(a.text)) for a in file.annotations), key=lambda mark: mark[0]
    )
    after = [*(onset for onset, _, _ in found[1:]), float("inf")]
    return [
        (onset, onset + float(lasts) if lasts else then, text)
        for (onset, lasts, text), then in zip(found, after)
    ]


def _first(error: Exception) -> str:
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return text.rstrip(".")
