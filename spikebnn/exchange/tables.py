"""Traces as CSV with SANA-FE's headers: ours written, its own read back (src/chip.cpp of SLAM-Lab/SANA-FE @8951ab0)."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spikebnn.arrays import F64, I64, U8, Array
from spikebnn.errors import InputError
from spikebnn.exchange.trace import Trace
from spikebnn.targets.target import Target

COUNTS = ("fired", "updated", "packets", "hops", "spikes")
ENERGIES = ("synapse_energy", "dendrite_energy", "soma_energy", "network_energy", "total_energy")
PERF = ("timestep", *COUNTS, "sim_time", *ENERGIES)
SPIKES = ("neuron", "timestep")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Result:
    """What SANA-FE wrote, by time step; step k of a file is row k - 1."""

    counts: dict[str, I64]  # of COUNTS; (steps,)
    joules: F64  # (steps,)
    spikes: U8  # (steps, neurons)
    membranes: F64 | None  # (steps, watched); None where no potential was recorded


def write(trace: Trace, target: Target, names: Sequence[str], folder: Path) -> None:
    """Our trace as spikes.csv, potentials.csv and perf.csv; counts include the inputs, as SANA-FE's do.

    Energies are those of the target's best guesses, empty where a price is unknown. `sim_time` is left empty: our
    times are intervals, and stand in the score.
    """
    steps, neurons = np.nonzero(trace.spikes)
    rows = [
        ",".join(SPIKES),
        *(f"{names[n]},{step + 1}" for step, n in zip(steps.tolist(), neurons.tolist())),
    ]
    (folder / "spikes.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    head = "timestep," + "".join(f"neuron {names[n]}," for n in trace.watched)
    rows = [
        head,
        *(f"{k + 1}," + "".join(f"{v}," for v in row) for k, row in enumerate(trace.membranes.tolist())),
    ]
    (folder / "potentials.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    counted = counts(trace)
    joules = _joules(trace, target)
    with (folder / "perf.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(PERF)
        for k in range(len(trace.spikes)):
            prices = ["" if joules[key] is None else f"{joules[key][k]:.6e}" for key in ENERGIES]  # type: ignore[index]
            writer.writerow([k + 1, *(int(counted[key][k]) for key in COUNTS), "", *prices])


def counts(trace: Trace) -> dict[str, I64]:
    """The columns that SANA-FE counts, with its names: `spikes` are synaptic events, `fired` are spikes."""
    steps = trace.steps
    return {
        "fired": steps.fired + steps.inputs_fired,
        "updated": steps.updated + steps.inputs_fired,
        "packets": steps.packets + steps.inputs_packets,
        "hops": steps.hops,
        "spikes": steps.events,
    }


def _joules(trace: Trace, target: Target) -> dict[str, F64 | None]:
    steps, neurons = trace.steps, trace.spikes.shape[1]

    def cost(*parts: tuple[I64, str]) -> F64 | None:
        if any(key not in target.energy and key not in target.included for _, key in parts):
            return None
        out = np.zeros(len(trace.spikes))
        for count, key in parts:
            out = out + count * (target.energy[key].v if key in target.energy else 0.0)
        return out

    each = np.full(len(trace.spikes), neurons, np.int64)
    synapse = cost((steps.events, "synaptic_event"))
    soma = cost(
        (each - steps.updated, "neuron_idle"), (steps.updated, "neuron_active"), (steps.fired, "spike")
    )
    network = cost((steps.packets, "message"), (steps.hops_x, "hop_x"), (steps.hops_y, "hop_y"))
    whole = None if synapse is None or soma is None or network is None else synapse + soma + network
    return dict(zip(ENERGIES, (synapse, np.zeros(len(each)), soma, network, whole)))


def read(folder: Path, names: Sequence[str], steps: int, watched: Sequence[int]) -> Result:
    """SANA-FE's perf.csv, spikes.csv and, where there is one, potentials.csv, from a folder."""
    rows, at = _table(folder / "perf.csv", PERF)
    if len(rows) != steps:
        raise InputError(
            f"{folder / 'perf.csv'} has {len(rows)} time steps, {steps} were asked for; run SANA-FE for {steps}"
        )
    told = {key: _numbers(rows, at[key], key, folder / "perf.csv") for key in (*COUNTS, "total_energy")}
    return Result(
        counts={key: np.rint(told[key]).astype(np.int64) for key in COUNTS},
        joules=told["total_energy"],
        spikes=_spikes(folder / "spikes.csv", names, steps),
        membranes=_membranes(folder / "potentials.csv", names, steps, watched),
    )


def _table(path: Path, wanted: Sequence[str]) -> tuple[list[list[str]], dict[str, int]]:
    """The rows below the header of a CSV file, and where each wanted column is."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise InputError(f"{path} cannot be read: {why}; run SANA-FE with its traces on") from error
    head, *rows = list(csv.reader(text.splitlines())) or [[]]
    if missing := [name for name in wanted if name not in head]:
        raise InputError(f"{path} has no column {', '.join(missing)}; its header is {','.join(head)[:80]!r}")
    if ragged := next((k for k, row in enumerate(rows, 2) if len(row) != len(head)), None):
        raise InputError(
            f"line {ragged} of {path} has {len(rows[ragged - 2])} values, its header names {len(head)}"
        )
    return rows, {name: head.index(name) for name in wanted}


def _numbers(rows: Sequence[Sequence[str]], column: int, name: str, path: Path) -> F64:
    try:
        return np.array([float(row[column]) for row in rows])
    except ValueError as error:
        raise InputError(f"the column {name} of {path} holds something that is no number: {error}") from error


def _spikes(path: Path, names: Sequence[str], steps: int) -> U8:
    rows, at = _table(path, SPIKES)
    number = {name: n for n, name in enumerate(names)}
    out = np.zeros((steps, len(names)), np.uint8)
    try:
        where = [(int(row[at["timestep"]]) - 1, number[row[at["neuron"]]]) for row in rows]
    except KeyError as error:
        raise InputError(
            f"{path} names a neuron {error.args[0]!r} that the network file does not have"
        ) from error
    except ValueError as error:
        raise InputError(f"{path} holds a time step that is no number: {error}") from error
    index = np.array(where, np.int64).reshape(-1, 2)
    if len(index) and (index[:, 0].min() < 0 or index[:, 0].max() >= steps):
        raise InputError(f"{path} has spikes outside of the time steps 1 to {steps}")
    out[index[:, 0], index[:, 1]] = 1
    return out


def _membranes(path: Path, names: Sequence[str], steps: int, watched: Sequence[int]) -> F64 | None:
    if not watched or not path.exists():
        return None
    wanted = [f"neuron {names[n]}" for n in watched]
    rows, at = _table(path, wanted)
    if len(rows) != steps:
        raise InputError(
            f"{path} has {len(rows)} time steps, {steps} were asked for; run SANA-FE for {steps}"
        )
    columns: list[Array] = [_numbers(rows, at[name], name, path) for name in wanted]
    return np.stack(columns, axis=1)
