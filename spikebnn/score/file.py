"""A score as JSON, schema spikebnn.score/2, with NeuroBench's field names beside our own; and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from spikebnn.energy import Energy, Item
from spikebnn.energy.duty import Duty
from spikebnn.energy.sensitivity import sensitivity
from spikebnn.energy.timing import Timing
from spikebnn.errors import InputError
from spikebnn.interval import Interval
from spikebnn.score import Agreement, CoreScore, LayerScore, Score
from spikebnn.score.use import Use
from spikebnn.targets.target import Quantity

SCHEMA = "spikebnn.score/2"  # mappings/schema/score.schema.json says what is in it
READ = ("spikebnn.score/1", SCHEMA)  # files of the first version lack _ADDED and the shares of items
_ADDED = ("active_updates", "rate")
PLAIN = (
    "program", "network", "target", "target_digest", "family", "simulator", "version", "frames", "seconds", "correct",
    "chips", "spikes", "axon_events", "synaptic_events", "updates", "messages", "input_messages", "hops", "crossings",
    "dense", "macs", "footprint", "active_updates", "rate",
)  # fmt: skip


def to_json(score: Score) -> str:
    """The score as readable JSON. Energies are joules, times seconds; `null` is unknown, never 0.

    Keys under "neurobench" and "at_rate", and the totals, rates and sensitivity under "energy" and "timing", follow
    from the rest; `from_json` leaves them unread.
    """
    data: dict[str, Any] = {"schema": SCHEMA}
    data |= {key: getattr(score, key) for key in PLAIN}
    data["agreement"] = None if score.agreement is None else asdict(score.agreement)
    data["neurobench"] = neurobench(score)
    data["energy"] = _energy(score.energy, score.timing)
    data["at_rate"] = None if score.duty is None else _duty(score.duty)
    times = score.timing
    data["timing"] = asdict(times) | {
        "latency_s": times.latency_s, "frames_per_s": times.frames_per_s,
        "latency_fastest": _shown(times.latency_fastest), "frames_per_s_fastest": _shown(times.frames_per_s_fastest),
    }  # fmt: skip
    data["hybrid"] = score.hybrid
    data["host"] = list(score.host)
    data["utilization"] = {name: asdict(use) for name, use in score.use.items()}
    data["layers"] = [asdict(layer) for layer in score.layers]
    data["cores"] = [asdict(core) for core in score.cores]
    return json.dumps(data, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def neurobench(score: Score) -> dict[str, Any]:
    """The fields of NeuroBench 2.3, per frame where it counts per sample.

    Activations are spikes in {0, 1}; a network of +-1 activations has no zeros, so its own ActivationSparsity is 0.
    Effective_ACs are the synaptic events, always-on axons included. Effective_MACs is 0 if all layers are on the cores,
    and null if some run on the host, where they are not counted. Footprint is the mapped program's, in bytes.
    Effective Neuron Ops are updates of neurons with input, null where the simulator did not count them.
    """
    frames = max(score.frames, 1)
    possible = score.updates
    pairs = sum(core.neurons * core.axons for core in score.cores)
    return {
        "Footprint": score.footprint,
        "ConnectionSparsity": 1 - score.synapses / pairs if pairs else None,
        "ParameterCount": score.synapses + sum(core.neurons for core in score.cores),
        "ClassificationAccuracy": score.accuracy,
        "ActivationSparsity": 1 - score.spikes / possible if possible else None,
        "ActivationSparsityByLayer": {
            layer.name: 1 - layer.spikes / layer.updates
            for layer in score.layers if layer.spikes is not None and layer.updates
        },
        "SynapticOperations": {
            "Effective_MACs": None if score.hybrid else 0.0,
            "Effective_ACs": score.synaptic_events / frames,
            "Dense": score.dense / frames,
        },
        "MembraneUpdates": score.updates / frames,
        "NeuronOperations": {
            "Effective Neuron Ops": None if score.active_updates is None else score.active_updates / frames,
            "Neuron Dense Ops": score.updates / frames,
        },
    }  # fmt: skip


def _shown(part: Interval | None) -> dict[str, float] | None:
    return None if part is None else asdict(part)


def _energy(energy: Energy, times: Timing) -> dict[str, Any]:
    return {
        "unit": "J",
        "interval": "corners: every constant at its low end, at its best guess, at its high end",
        "frames": energy.frames,
        "tick": energy.tick,
        "at_least": energy.at_least,
        "lacks": list(energy.lacks),
        "per_frame": _shown(energy.per_frame(energy.total)),
        "marginal_per_frame": _shown(energy.per_frame(energy.marginal)),
        "fastest_per_frame": None if times.fastest is None else _shown(energy.at_ticks(times.fastest)),
        "total": _shown(energy.total),
        "sensitivity": [asdict(swing) for swing in sensitivity(energy)],
        "items": [_item(item) for item in energy.items],
        "constants": {key: asdict(quantity) for key, quantity in energy.constants.items()},
        "left_out": list(energy.left_out),
        "refs": dict(energy.refs),
    }


def _item(item: Item) -> dict[str, Any]:
    plain = {key: getattr(item, key) for key in ("name", "of", "state", "note")}
    shares = [{"constant": key, **asdict(count)} for key, count in item.shares]
    return plain | {
        "constants": list(item.constants), "count": asdict(item.count), "joules": _shown(item.joules), "shares": shares,
    }  # fmt: skip


def _duty(duty: Duty) -> dict[str, Any]:
    return {
        "rate": duty.rate,
        "tick": duty.tick,
        "ticks": duty.ticks,
        "busy": duty.busy,
        "per_frame": _shown(duty.per_frame),
        "power": _shown(duty.power),
        "gated_per_frame": _shown(duty.gated),
        "items": [_item(item) for item in duty.on.items],
        "left_out": list(duty.on.left_out),
    }


def from_json(text: str, where: str = "the score") -> Score:
    """The score that `to_json` wrote; `where` names it in messages."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{where} is no JSON: {error}") from error
    found = data.get("schema") if isinstance(data, Mapping) else None
    if found not in READ:
        raise InputError(
            f"{where} is no score: its schema is {found!r}, {SCHEMA!r} is wanted; `spikebnn run -o` writes one"
        )
    try:
        return _score(data)
    except KeyError as error:
        raise InputError(
            f"{where} lacks the key {error.args[0]!r}; write it again with `spikebnn run -o`"
        ) from error
    except (TypeError, ValueError, AttributeError, AssertionError) as error:
        raise InputError(f"{where} has a value that does not fit {SCHEMA}: {error}") from error


def _score(data: Mapping[str, Any]) -> Score:
    times = {key: data["timing"][key] for key in ("period", "latency", "tick", "at_least", "busiest", "note")}
    return Score(
        **{key: data[key] for key in PLAIN if data["schema"] == SCHEMA or key not in _ADDED},
        agreement=None if data["agreement"] is None else Agreement(**data["agreement"]),
        energy=_read_energy(data["energy"]),
        timing=Timing(**times, fastest=_interval(data["timing"]["fastest"])),
        layers=tuple(LayerScore(**layer) for layer in data["layers"]),
        cores=tuple(CoreScore(**core) for core in data["cores"]),
        use={name: Use(**use) for name, use in data["utilization"].items()},
        host=tuple(data["host"]),
    )


def _read_energy(data: Mapping[str, Any]) -> Energy:
    items = []
    for entry in data["items"]:
        count = _interval(entry["count"])
        assert count is not None, "an item without a count"
        plain = {key: entry[key] for key in ("name", "of", "state", "note")}
        items.append(
            Item(
                **plain,
                count=count,
                constants=tuple(entry["constants"]),
                joules=_interval(entry["joules"]),
                shares=tuple((part["constant"], _span(part)) for part in entry.get("shares", ())),
            )
        )
    return Energy(
        frames=data["frames"],
        tick=data["tick"],
        items=tuple(items),
        constants={key: Quantity(**entry) for key, entry in data["constants"].items()},
        left_out=tuple(data["left_out"]),
        refs=dict(data["refs"]),
    )


def _interval(data: Mapping[str, float] | None) -> Interval | None:
    return None if data is None else _span(data)


def _span(data: Mapping[str, Any]) -> Interval:
    return Interval(lo=data["lo"], v=data["v"], hi=data["hi"])
