"""`Scenario`: everything that a stream is told before it starts: source, encoder, window, network, decision, report."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

SKIP, KEEP, HOLD, INTERPOLATE, DROP, REFUSE = "skip", "keep", "hold", "interpolate", "drop", "refuse"
# kind of bad sample -> what may be done about it, the default first
POLICIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "bad": (SKIP, HOLD, INTERPOLATE, DROP, REFUSE),  # a reading that is missing, unreadable or infinite
        "clipped": (
            KEEP,
            SKIP,
            HOLD,
            INTERPOLATE,
            DROP,
            REFUSE,
        ),  # a reading at the end of the sensor's range
        "gap": (
            SKIP,
            HOLD,
            INTERPOLATE,
            DROP,
            REFUSE,
        ),  # a row that is not there, as the times of others show
        "late": (DROP, REFUSE),  # a row behind its time: out of order, twice, or without a readable time
        "rate": (REFUSE, KEEP),  # rows come at another rate than the one named
    }
)
TIMES = ("auto", "grid", "linear", "rows")
ORDERS = ("auto", "rows", "channels")
LABELS = ("last", "most")
OVERFLOWS = ("wait", "drop")
STATES = ("auto", "keep", "rest")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePlan:
    """Where rows come from, and what is done about bad ones."""

    file: str  # absolute path; "-" for standard input; tcp://host:port or listen://host:port; "" for rows of a caller
    files: tuple[str, ...] = ()  # more than one: recordings one after another, no window across two of them
    kind: str = ""  # name in the registry of sources
    rate: float | None = None  # rows per second, Hz; None: as the source says
    array: str = "x"  # .npz: the array of rows
    labels: str | None = (
        None  # labels per row: an array, a column, "folder", "annotations", or a .csv of marks
    )
    segments: str | None = None  # name of a number per row; no window reaches across a change of it
    columns: tuple[str, ...] = ()  # the sensors, by name; all but time, labels and segments if empty
    scale: float = 1.0  # each reading is multiplied by this
    limits: tuple[float, float] | None = None  # readings at or beyond these are clipped; before `scale`
    time: str | None = None  # column or array of times
    unit: str | None = None  # of the times: s, ms, us, ns, min, h; by name and size where None
    times: str = "auto"  # rows are put on a grid of the rate, resampled linearly, or taken as they come
    separator: str | None = None  # of a CSV; found where None
    decimal: str | None = None  # mark of a CSV; found where None
    policy: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({})
    )  # kind of bad sample -> action
    longest: float | None = (
        None  # seconds that may be held or interpolated; no limit, and 4,096 rows, where None
    )
    overflow: str = (
        "wait"  # live rows that the stream does not take in time: the sensor waits, or they are lost
    )
    duration: float | None = None  # seconds of a synthetic recording made of this one
    noise: float = 0.0  # of it, in standard deviations of each channel
    seed: int = 0

    def action(self, kind: str) -> str:
        """What is done about bad samples of a kind."""
        return self.policy.get(kind, POLICIES[kind][0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One stream."""

    name: str
    title: str
    source: SourcePlan
    network: str  # absolute path of a program, or of a network that is mapped when the stream starts
    program: bool = True  # it is a program
    target: str | None = None  # name or absolute path; of a program its own where None
    simulator: str = "bitwise"
    state: str = (
        "auto"  # of the cores, between windows: kept, or at rest before each; auto: as the program needs it
    )
    encoder: tuple[Mapping[str, Any], ...] = ()  # tables of spikebnn.encoders, one after another
    rows: int | float | None = None  # a window: rows, or seconds (float); None: as many as the network takes
    hop: int | float | None = None  # from one window to the next; None: a window
    order: str = (
        "auto"  # a frame holds row after row, or channel after channel; auto: as the network's shape says
    )
    label: str = "last"  # a window's label is that of its last row, or of most rows
    vote: int = 1  # the decision of most of so many windows
    average: int = 1  # the largest of the scores' means over so many windows
    faults: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))  # kind -> rate
    seed: int = 0  # of the faults
    classes: tuple[str, ...] = ()  # names; numbers if empty
    show: tuple[str, ...] = ()  # only decisions for these classes are shown; all if empty
    beside: str | None = None  # absolute path: decisions of a float32 net on the same windows, an .npz of spikebnn.nn.float32
    battery: str = ""  # name of a battery, for how long it lasts

    def digest(self) -> str:
        """sha256 of everything that decisions depend on, but for the contents of files and where they lie."""
        source = dataclasses.replace(self.source, policy={}, file="", files=())
        plain = dataclasses.asdict(dataclasses.replace(self, source=source, faults={}, encoder=()))
        for name in ("name", "title", "network", "target", "show", "beside", "battery"):
            del plain[name]
        plain |= {"policy": dict(self.source.policy), "faults": dict(self.faults), "encoder": [dict(t) for t in self.encoder],
                  "files": len(self.source.files)}  # fmt: skip
        return hashlib.sha256(json.dumps(plain, sort_keys=True, default=list).encode()).hexdigest()
