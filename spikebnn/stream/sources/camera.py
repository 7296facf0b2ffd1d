"""Recorded event cameras: AEDAT 4 by the package aedat, Event Stream (.es) by the package event_stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from spikebnn.arrays import F64, Array
from spikebnn.errors import InputError
from spikebnn.stream.plan import SourcePlan
from spikebnn.stream.sources.block import Block, Position, file_digest

NEEDS = 'pip install "spikebnn[sensors]"'
EVENTS = 65_536  # handed on at a time


class Camera:
    """Events (t in seconds, x, y, polarity) in the order of the file; `frame` is the sensor's width and height."""

    live, events, exact, regular, full_scale = False, True, True, True, None
    rate: float | None = None
    channels = ("t", "x", "y", "polarity")

    def __init__(self, plan: SourcePlan) -> None:
        self.name = plan.file
        self._packets, self.frame = (_es if plan.kind == "es" else _aedat)(plan.file)
        if plan.columns or plan.labels or plan.segments:
            raise InputError(
                f"{plan.file}: the events of a camera have no columns, labels or segments to name"
            )

    def blocks(self, position: Position) -> Iterator[Block]:
        skip, done = int(position.get("events", 0)), 0
        try:
            for packet in self._packets:
                for at in range(0, len(packet), EVENTS):
                    some = packet[at : at + EVENTS]
                    done += len(some)
                    if done > skip:
                        keep = some[max(0, skip - done + len(some)) :]
                        yield Block(values=_rows(keep), position={"events": done})
        except RuntimeError as error:
            raise InputError(f"{self.name}: the events end early: {error}") from None

    def digest(self) -> str:
        return file_digest(self.name)

    def lost(self) -> int:
        return 0


def _rows(events: Array) -> F64:
    names = events.dtype.names or ()
    on = "on" if "on" in names else "p"
    return np.stack([events["t"] * 1e-6, events["x"], events["y"], events[on]], axis=1).astype(np.float64)


def _es(path: str) -> tuple[Iterator[Any], tuple[int, int]]:
    try:
        import event_stream
    except ImportError:
        raise InputError(
            f"{path}: an Event Stream recording needs the package event_stream: {NEEDS}"
        ) from None
    try:
        decoder = event_stream.Decoder(path)
    except RuntimeError as error:
        raise InputError(f"{path}: this is no Event Stream recording that can be read: {error}") from None
    if decoder.type not in ("dvs", "atis"):
        raise InputError(
            f"{path}: the stream holds events of the kind {decoder.type}, and dvs or atis is wanted"
        )
    packets = (packet[~packet["exposure"]] if decoder.type == "atis" else packet for packet in decoder)
    return packets, (decoder.width, decoder.height)


def _aedat(path: str) -> tuple[Iterator[Any], tuple[int, int]]:
    try:
        import aedat
    except ImportError:
        raise InputError(f"{path}: an AEDAT recording needs the package aedat: {NEEDS}") from None
    try:
        decoder = aedat.Decoder(path)
        streams = decoder.id_to_stream()
    except RuntimeError as error:
        raise InputError(f"{path}: this is no AEDAT 4 recording that can be read: {error}") from None
    cameras = {number: facts for number, facts in streams.items() if facts["type"] == "events"}
    if len(cameras) != 1:
        raise InputError(f"{path}: the recording holds {len(cameras)} streams of events, and one is wanted")
    ((number, facts),) = cameras.items()
    packets = (packet["events"] for packet in decoder if packet["stream_id"] == number and "events" in packet)
    return packets, (int(facts["width"]), int(facts["height"]))
