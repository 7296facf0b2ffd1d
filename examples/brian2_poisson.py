"""A mapped classifier behind Poisson neurons, inside your own Brian2 network.

Who speaks? Each utterance of the Japanese Vowels test set drives 580 Poisson neurons for 10 ms on Brian2's own clock
of 0.1 ms: neurons whose bit is 1 fire fast, the others now and then. Behind them sits the trained binary network
on its cores, one exact decision a millisecond, and nine cells of yours that count the decisions for each speaker.

    pip install "spikebnn[brian2,torch]"
    python examples/brian2_poisson.py [utterances]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import spikebnn
from spikebnn.encode import encode


def main(utterances: int = 100) -> float:
    """Run the network; the share of utterances whose speaker most decisions name."""
    from brian2 import (
        Hz,
        NeuronGroup,
        PoissonGroup,
        StateMonitor,
        Synapses,
        TimedArray,
        ms,
        prefs,
        run,
        seed,
        start_scope,
    )

    from spikebnn.brian2 import MappedNet

    start_scope()
    seed(1)
    if prefs.codegen.target == "auto":
        prefs.codegen.target = "numpy"  # compiles nothing; "cython" is faster from the second start on

    folder = Path(__file__).resolve().parent / "japanese_vowels"
    data = np.load(folder / "test.npz")
    x, labels = data["x"][:utterances], data["y"][:utterances]
    program = spikebnn.map(folder / "net.pt", target="truenorth-sim")
    bits = encode(program.encoder, x)[:, 0]

    # Your side: Poisson neurons whose rates change every 10 ms.
    stimulus = TimedArray(np.where(bits == 1, 4000, 5) * Hz, dt=10 * ms)  # noqa: F841  # named in `rates`
    retina = PoissonGroup(program.inputs, rates="stimulus(t, i)")

    # The mapped network: hears the retina, ticks once a millisecond, and decides in each tick.
    bnn = MappedNet(program, retina, decide=True, name="bnn")

    # Your side again: a cell for each speaker counts the decisions.
    cells = NeuronGroup(9, "votes : 1", dt=1 * ms)
    axons = Synapses(bnn.decision, cells, on_pre="votes_post += 1", dt=1 * ms)
    axons.connect(j="i")
    seen = StateMonitor(cells, "votes", record=True, when="end", dt=10 * ms)

    run((10 * utterances + 5) * ms)

    # What is seen at 10 k ms, less what was seen before, belongs to utterance k - 1; the answer comes 1 to 2 ms late.
    votes = np.diff(seen.votes[:, : utterances + 1], axis=1).T
    found = float((votes.argmax(axis=1) == labels).mean())
    clean = float((spikebnn.run(program, x).classes == labels).mean())
    synapses = len(bnn.synapses) + len(bnn.input_synapses)
    print(
        f"{utterances} utterances, {len(bnn.neurons)} neurons on {len(program.cores)} cores, {synapses} synapses"
    )
    print(f"decisions for the first: {votes[0].astype(int).tolist()}, speaker {labels[0]}")
    print(f"accuracy behind Poisson neurons: {found:.1%} (without noise: {clean:.1%})")
    return found


if __name__ == "__main__":
    if len(sys.argv) > 2 or not all(word.isdecimal() and int(word) for word in sys.argv[1:]):
        sys.exit("usage: brian2_poisson.py [utterances, 1 or more]")
    main(*map(int, sys.argv[1:]))
