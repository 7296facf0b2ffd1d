"""Small threshold networks and small targets, drawn at random, and the tick law in plain Python loops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from spikebnn.arrays import Array, unpack_bits
from spikebnn.program import CLEAR, FORGETS, GRADED, SATURATE, SUBTRACT, ZERO, Program
from spikebnn.targets.target import CoreLimits, FanRule, NeuronRule, SynapseRule, Target, Topology
from spikebnn.threshold import NO_TAP, Encoder, Layer, Readout, Synapses, ThresholdNetwork


def mapper_synapses(rng: np.random.Generator, reads: Array, neurons: int, taps: int, patches: int, most: int) -> Synapses:
    """Random shared weights on random bits of `reads`, with padding, zeros and repeated taps."""
    rows = int(rng.integers(1, neurons + 1))
    weight = rng.choice(np.arange(-most, most + 1), size=(rows, taps)).astype(np.int16)
    if rng.random() < 0.7:
        weight = np.where(weight == 0, 1, weight).astype(np.int16)
    wired = rng.choice(reads, size=(patches, taps), replace=True).astype(np.int32)
    if rng.random() < 0.7 and len(reads) >= taps:
        wired = np.stack([rng.choice(reads, size=taps, replace=False) for _ in range(patches)]).astype(np.int32)
    if rng.random() < 0.4:
        wired[rng.random(wired.shape) < 0.2] = NO_TAP
    return Synapses(
        weight=weight, taps=wired, row=rng.integers(0, rows, neurons).astype(np.int32),
        patch=np.sort(rng.integers(0, patches, neurons)).astype(np.int32),
    )


def mapper_readout(synapses: Synapses) -> Readout:
    """A readout whose sums are the scores."""
    n = synapses.neurons
    return Readout(
        name="readout", synapses=synapses, alpha=np.ones(n, np.float32), unit=1.0, offset=np.zeros(n), bias=None,
        shape=(n,), tail=None, witness="", tolerance=0.0,
    )


def mapper_network(
    seed: int, *, inputs: int = 8, layers: int = 2, width: int = 6, taps: int = 5, most: int = 1, scores: int = 3,
    votes: bool = False, ticks: int = 1, pools: int = 0,
) -> ThresholdNetwork:
    """A random network; layers read mostly the layer before, sometimes any earlier bit; so many pools follow each layer."""
    rng = np.random.default_rng(seed)
    made: list[Layer] = []
    first, before = inputs, np.arange(inputs)
    for k in range(layers):
        neurons = int(rng.integers(1, width + 1))
        reads = before if rng.random() < 0.6 else np.arange(first)
        synapses = mapper_synapses(rng, reads, neurons, int(rng.integers(1, taps + 1)), int(rng.integers(1, 4)), most)
        sign = rng.choice([1, 1, -1], neurons).astype(np.int8)
        plugged = (synapses.taps != NO_TAP)[synapses.patch] * synapses.weight[synapses.row] * sign[:, None] * ticks
        low, high = np.minimum(plugged, 0).sum(axis=1), np.maximum(plugged, 0).sum(axis=1)
        threshold = low + np.rint(rng.normal(0.5, 0.2, neurons) * (high - low)).astype(np.int64) + 1
        made.append(
            Layer(
                name=f"layer{k}", kind="dense", synapses=synapses, sign=sign,
                threshold=threshold.astype(np.int32), first=first,
                shape=(neurons,),
            )
        )
        before = np.arange(first, first + neurons)
        first += neurons
        for _ in range(pools):
            made.append(mapper_pool(rng, before, f"layer{k}.pool{len(made)}", first))
            before = np.arange(first, first + made[-1].neurons)
            first += made[-1].neurons
    last = mapper_synapses(rng, before, scores, int(rng.integers(1, taps + 1)), int(rng.integers(1, 3)), most)
    if votes:
        last = replace(last, weight=np.ones_like(last.weight))
    encoder = Encoder(
        kind="burst" if ticks > 1 else "values", shape=(inputs,), dtype="uint8" if ticks > 1 else "float32", ticks=ticks
    )
    return ThresholdNetwork(inputs=inputs, encoder=encoder, layers=tuple(made), readout=mapper_readout(last))


def mapper_pool(rng: np.random.Generator, reads: Array, name: str, first: int) -> Layer:
    """A max pool over windows of `reads`, which may overlap, repeat and be padded; some neurons are min pools."""
    size, stride, neurons = int(rng.integers(1, 5)), int(rng.integers(1, 4)), int(rng.integers(1, 7))
    taps = reads[(stride * np.arange(neurons)[:, None] + np.arange(size)) % len(reads)].astype(np.int32)
    if rng.random() < 0.3:
        taps[rng.random(taps.shape) < 0.3] = NO_TAP
    falls = rng.random(neurons) < rng.choice([0.0, 0.0, 0.5])
    return Layer(
        name=name, kind="pool", sign=np.ones(neurons, np.int8), first=first, shape=(neurons,),
        synapses=Synapses(
            weight=np.ones((1, size), np.int16), taps=taps, row=np.zeros(neurons, np.int32),
            patch=np.arange(neurons, dtype=np.int32),
        ),
        threshold=np.where(falls, (taps != NO_TAP).sum(axis=1), 1).astype(np.int32),
    )


def mapper_fan_out() -> ThresholdNetwork:
    """40 neurons of one input each, 4 that read 20 of those each, 200 that read those 4 and vote."""
    rng = np.random.default_rng(0)
    thin = Synapses(
        weight=np.ones((1, 1), np.int16), taps=np.arange(40, dtype=np.int32)[:, None], row=np.zeros(40, np.int32),
        patch=np.arange(40, dtype=np.int32),
    )
    wide = Synapses(
        weight=rng.choice([-1, 1], (4, 20)).astype(np.int16), row=np.arange(4, dtype=np.int32),
        taps=np.stack([40 + rng.permutation(20) + 20 * (k % 2) for k in range(4)]).astype(np.int32),
        patch=np.arange(4, dtype=np.int32),
    )
    many = Synapses(
        weight=rng.choice([-1, 1], (200, 4)).astype(np.int16), row=np.arange(200, dtype=np.int32),
        taps=np.arange(80, 84, dtype=np.int32)[None], patch=np.zeros(200, np.int32),
    )
    votes = Synapses(
        weight=np.ones((1, 200), np.int16), taps=np.arange(84, 284, dtype=np.int32)[None], row=np.zeros(1, np.int32),
        patch=np.zeros(1, np.int32),
    )
    layers, first = [], 40
    for name, synapses in (("thin", thin), ("wide", wide), ("many", many)):
        n = synapses.neurons
        theta = np.ones(n, np.int32)
        layers.append(Layer(name=name, kind="dense", synapses=synapses, sign=np.ones(n, np.int8), threshold=theta,
                            first=first, shape=(n,)))
        first += n
    return ThresholdNetwork(
        inputs=40, encoder=Encoder(kind="values", shape=(40,), dtype="float32"), layers=tuple(layers),
        readout=mapper_readout(votes),
    )


def mapper_inputs(network: ThresholdNetwork, frames: int, seed: int) -> Array:
    """Random input bits, or counts for bursts; (frames, inputs)."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, network.encoder.ticks + 1, (frames, network.inputs)).astype(np.int64)


def mapper_target(**changes: object) -> Target:
    """A small roomy crossbar; `changes` name fields of any of its rules, as `axons=16` or `format="list"`."""
    parts = {
        "topology": Topology(width=16, height=16, chips=4),
        "core": CoreLimits(neurons=16, axons=24),
        "synapse": SynapseRule(format="crossbar", axon_types=4, weight_min=-255, weight_max=255),
        "fan": FanRule(),
        "neuron": NeuronRule(
            v_bits=20, threshold_min=0, threshold_max=9999, bias_min=-255, bias_max=255,
            resets=("memoryless", "zero", "subtract"), floors=("saturate", "clear"), delay_max=3,
        ),
    }
    for name, value in changes.items():
        owner = next(part for part, rule in parts.items() if name in type(rule).__slots__)
        parts[owner] = replace(parts[owner], **{name: value})  # type: ignore[type-var]
    return Target(name="toy", title="toy", vendor="nobody", family="toy", **parts)  # type: ignore[arg-type]


@st.composite
def mapper_targets(draw: st.DrawFn) -> Target:
    """Small targets of both formats, with all kinds of fan-out, delays and readouts."""
    changes: dict[str, object] = {
        "neurons": draw(st.integers(6, 24)),
        "delay_max": draw(st.integers(1, 4)),
        "dead_cores": draw(st.sampled_from([(), ((0, 0), (3, 1))])),
        "membrane_readout": draw(st.booleans()),
        "axons_per_neuron": draw(st.sampled_from([None, None, 1, 2])),
        "cores_per_neuron": draw(st.sampled_from([None, 1, 2])),
        "axons": draw(st.integers(12, 40)),
        "axon_merges": draw(st.booleans()),
        "graded_bits": draw(st.sampled_from([None, 2, 8])),
    }
    if draw(st.booleans()):
        changes |= {
            "format": "list", "weight_bits": 2, "block": draw(st.sampled_from([4, 16])), "word_bits": 16, "axon_types": None,
            "block_overhead_bits": draw(st.integers(0, 9)), "index_bits": draw(st.sampled_from([(0,), (0, 5)])),
            "synapse_bits": draw(st.sampled_from([None, 2000, 1000])), "delay_bits": draw(st.sampled_from([0, 2])),
            "output_edges": draw(st.sampled_from([None, 24])), "neurons_per_subtract": draw(st.sampled_from([1, 2])),
        }
    else:
        changes |= {"fan_in": draw(st.sampled_from([None, 10]))}
    return mapper_target(**changes)


def mapper_run(program: Program, inputs: Array) -> tuple[Array, dict[tuple[int, int], Array]]:
    """The tick law, literally: sums (frames, sums), and spikes (frames,) of each neuron (core, neuron) in its window.

    A count x of an input is sent as x spikes, one per tick from the frame's first.
    """
    frames, period = len(inputs), program.period
    ends = [int(core.start.max(initial=0)) for core in program.cores]
    stop = frames * period + max([program.latency, *ends]) + period
    planes = [
        [(p.start, unpack_bits(p.bits, p.stop - p.start).astype(np.int64), p.scale.astype(np.int64)) for p in core.planes]
        for core in program.cores
    ]
    axons = [np.zeros((stop + 600, core.axons), np.int64) for core in program.cores]
    ticks_of = {line: [t for at, t in program.controls.tolist() if at == line] for line in program.controls[:, 0].tolist()}
    for line, core, axon, delay in program.lines.tolist():
        for frame in range(frames):
            ticks = ticks_of[line] if line >= program.inputs else range(int(inputs[frame, line]))
            for tick in ticks:
                axons[core][frame * period + tick + delay, axon] = 1
    v = [np.zeros(core.neurons, np.int64) for core in program.cores]
    spikes = [np.zeros((stop, core.neurons), np.int64) for core in program.cores]
    seen = [np.zeros((stop, core.neurons), np.int64) for core in program.cores]
    outgoing: dict[int, list[tuple[int, int, int, int]]] = {}
    for core, neuron, reader, axon, delay in program.routes.tolist():
        outgoing.setdefault(core, []).append((neuron, reader, axon, delay))
    for tick in range(stop):
        for c, core in enumerate(program.cores):
            for start, bits, scale in planes[c]:
                v[c] += scale * (bits @ axons[c][tick, start : start + bits.shape[1]])
            v[c] += core.leak
            seen[c][tick] = v[c]
            said = np.where(core.reset == GRADED, v[c], 1)
            for n in range(core.neurons):
                fired = v[c][n] >= core.threshold[n]
                spikes[c][tick, n] = fired
                if core.reset[n] in FORGETS or (fired and core.reset[n] == ZERO):
                    v[c][n] = 0
                elif fired and core.reset[n] == SUBTRACT:
                    v[c][n] -= core.threshold[n]
                if v[c][n] < core.floor[n]:
                    assert core.floor_mode[n] in (SATURATE, CLEAR)
                    v[c][n] = core.floor[n] if core.floor_mode[n] == SATURATE else 0
            for neuron, reader, axon, delay in outgoing.get(c, []):
                if spikes[c][tick, neuron]:
                    axons[reader][tick + delay, axon] = said[neuron]
    windows = {
        (c, n): np.array([spikes[c][(s := f * period + int(core.start[n])) : s + period, n].sum() for f in range(frames)])
        for c, core in enumerate(program.cores) for n in range(core.neurons)
    }
    sums = np.tile(program.base.astype(np.int64), (frames, 1))
    for k, c, n in program.outputs.tolist():
        for f in range(frames):
            at = f * period + int(program.cores[c].start[n])
            sums[f, k] += windows[c, n][f] if program.readout == "spikes" else seen[c][at, n]
    return sums, windows
