"""Writes the conformance vectors beside this file: `python sims/conformance/make.py`.

Every vector's spikes and membranes were worked out by hand from the tick law and stand below. A second witness,
the interpreter `play`, which is plain Python, one neuron at a time, and shares nothing with any simulator of
spikebnn, must agree with the hand before a file is written.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Document = dict[str, Any]


def play(program: Document, drive: list[str]) -> tuple[list[str], list[list[int]], list[list[set[int]]]]:
    """Spikes, membranes after step 2, and active axons by core, tick by tick."""
    cores, ticks = program["cores"], len(drive)
    arrive: dict[tuple[int, int], dict[int, int]] = {}  # by tick and core: axons and their values
    v = [[0] * len(core["threshold"]) for core in cores]
    spikes, membranes, active = [], [], []
    for tick in range(ticks):
        for line, core, axon, delay in program.get("lines", []):
            if drive[tick][line] == "1":
                arrive.setdefault((tick + delay, core), {})[axon] = 1
        fired, seen = {}, []
        for c, core in enumerate(cores):
            for n in range(len(core["threshold"])):

                def own(name: str, otherwise: Any, core: Document = core, n: int = n) -> Any:
                    value = core.get(name, otherwise)
                    return value[n] if isinstance(value, list) else value

                total = v[c][n]
                for plane in core["planes"]:
                    for axon, value in arrive.get((tick, c), {}).items():
                        place = axon - plane["start"]
                        if 0 <= place < len(plane["bits"][n]) and plane["bits"][n][place] == "1":
                            total += plane["scale"][n] * value
                total += own("leak", 0)
                seen.append(total)
                spike = total >= own("threshold", 0)
                reset = own("reset", "memoryless")
                if spike:
                    fired[c, n] = total if reset == "graded" else 1
                if reset in ("memoryless", "graded") or (spike and reset == "zero"):
                    total = 0
                elif spike and reset == "subtract":
                    total -= own("threshold", 0)
                floor = own("floor", None)
                if floor is not None and total < floor:
                    total = floor if own("floor_mode", "saturate") == "saturate" else 0
                v[c][n] = total
        for (c, n), said in fired.items():
            for source, neuron, core_to, axon, delay in program.get("routes", []):
                if (source, neuron) == (c, n):
                    arrive.setdefault((tick + delay, core_to), {})[axon] = said
        every = [(c, n) for c, core in enumerate(cores) for n in range(len(core["threshold"]))]
        spikes.append("".join("1" if who in fired else "0" for who in every))
        membranes.append(seen)
        active.append([set(arrive.get((tick, c), {})) for c in range(len(cores))])
    return spikes, membranes, active


def ask(program: Document, bits: list[list[str]]) -> Document:
    """The frames' sums and counts, from a whole run in one stream."""
    period, cores = program.get("period", 1), program["cores"]
    controls = program.get("controls", [])
    lines = max([program["inputs"], *(line + 1 for line, _ in controls)])

    def starts(core: Document) -> list[int]:
        value = core.get("start", 0)
        return value if isinstance(value, list) else [value] * len(core["threshold"])

    ticks = max(max(starts(core)) for core in cores) + period * len(bits)
    drive = []
    for tick in range(ticks):
        row = ["0"] * lines
        frame, into = divmod(tick, period)
        if frame < len(bits) and into < len(bits[frame]):
            row[: program["inputs"]] = list(bits[frame][into])
        for line, phase in controls:
            if tick % period == phase:
                row[line] = "1"
        drive.append("".join(row))
    spikes, membranes, active = play(program, drive)
    first = [0]
    for core in cores:
        first.append(first[-1] + len(core["threshold"]))
    out: Document = {
        name: [[0] * len(cores) for _ in bits] for name in ("spikes", "axon_events", "synaptic_events")
    }
    out["sums"] = [list(program.get("base", [0])) for _ in bits]
    for tick in range(ticks):
        for c, core in enumerate(cores):
            for n, start in enumerate(starts(core)):
                frame, into = divmod(tick - start, period)
                if not 0 <= frame < len(bits):
                    continue
                spike = spikes[tick][first[c] + n] == "1"
                out["spikes"][frame][c] += spike
                for total, core_of, neuron in program.get("outputs", []):
                    if (core_of, neuron) != (c, n):
                        continue
                    if program.get("readout", "spikes") == "spikes":
                        out["sums"][frame][total] += spike
                    elif into == 0:
                        out["sums"][frame][total] += membranes[tick][first[c] + n]
            for axon in active[tick][c]:
                reached = [
                    n
                    for n in range(len(core["threshold"]))
                    if any(
                        0 <= axon - p["start"] < len(p["bits"][n]) and p["bits"][n][axon - p["start"]] == "1"
                        for p in core["planes"]
                    )
                ]
                start = min(starts(core)[n] for n in reached) if reached else min(starts(core))
                frame = (tick - start) // period
                if 0 <= frame < len(bits):
                    out["axon_events"][frame][c] += 1
                    out["synaptic_events"][frame][c] += len(reached)
    return {"bits": bits, **out}


def cell(weights: list[int], **own: Any) -> Document:
    """A core of one neuron with these weights, a plane of one axon each."""
    planes = [{"start": k, "scale": [w], "bits": ["1"]} for k, w in enumerate(weights)]
    return {"axons": len(weights), "planes": planes, **own}


def straight(inputs: int, core: int = 0) -> list[list[int]]:
    """Line k on axon k, at once."""
    return [[k, core, k, 0] for k in range(inputs)]


CASES: list[Document] = [
    {
        "name": "order-leak-before-fire",
        "rule": "the leak is added before the threshold is compared: 2 + 1 fires at 3, 1 + 1 does not",
        "program": {"inputs": 2, "cores": [cell([1, 2], threshold=[3], leak=1, reset="zero")], "lines": straight(2)},
        "drive": ["01", "10", "00", "00", "01"],
        "spikes": ["1", "0", "1", "0", "1"],
        "membranes": [[3], [2], [3], [1], [4]],
    },
    {
        "name": "fire-at-equality",
        "rule": "a neuron fires at V equal to its threshold, and not one below",
        "program": {"inputs": 3, "cores": [cell([1, 1, -1], threshold=[2])], "lines": straight(3)},
        "drive": ["110", "100", "111", "000", "110"],
        "spikes": ["1", "0", "0", "0", "1"],
        "membranes": [[2], [1], [1], [0], [2]],
    },
    {
        "name": "threshold-zero-and-below",
        "rule": "a threshold of zero is met by silence, and a negative one by a negative sum",
        "program": {
            "inputs": 1,
            "cores": [
                {"axons": 1, "planes": [{"start": 0, "scale": [-1, -1], "bits": ["1", "1"]}], "threshold": [0, -1]}
            ],
            "lines": straight(1),
        },
        "drive": ["0", "1", "0"],
        "spikes": ["11", "01", "11"],
        "membranes": [[0, 0], [-1, -1], [0, 0]],
    },
    {
        "name": "reset-memoryless",
        "rule": "a memoryless neuron forgets its membrane every tick, spike or not, leak included",
        "program": {"inputs": 1, "cores": [cell([2], threshold=[4], leak=1)], "lines": straight(1)},
        "drive": ["1", "1", "1", "0"],
        "spikes": ["0", "0", "0", "0"],
        "membranes": [[3], [3], [3], [1]],
    },
    {
        "name": "reset-zero",
        "rule": "zero reset: what is above the threshold is lost with the spike",
        "program": {"inputs": 1, "cores": [cell([3], threshold=[5], reset="zero")], "lines": straight(1)},
        "drive": ["1", "1", "1", "0", "1", "0"],
        "spikes": ["0", "1", "0", "0", "1", "0"],
        "membranes": [[3], [6], [3], [3], [6], [0]],
    },
    {
        "name": "reset-subtract",
        "rule": "subtract reset: what is above the threshold stays, and can fire again without input",
        "program": {"inputs": 1, "cores": [cell([7], threshold=[3], reset="subtract")], "lines": straight(1)},
        "drive": ["1", "0", "0", "1", "0", "0"],
        "spikes": ["1", "1", "0", "1", "1", "0"],
        "membranes": [[7], [4], [1], [8], [5], [2]],
    },
    {
        "name": "reset-subtract-negative-threshold",
        "rule": "subtracting a negative threshold raises the membrane",
        "program": {
            "inputs": 1,
            "cores": [cell([-5], threshold=[-2], reset="subtract")],
            "lines": straight(1),
        },
        "drive": ["0", "1", "1", "0"],
        "spikes": ["1", "0", "0", "0"],
        "membranes": [[0], [-3], [-8], [-8]],
    },
    {
        "name": "reset-none",
        "rule": "no reset: once above the threshold a neuron fires every tick until it is pulled down",
        "program": {"inputs": 2, "cores": [cell([2, -3], threshold=[2], reset="none")], "lines": straight(2)},
        "drive": ["10", "00", "10", "01", "00"],
        "spikes": ["1", "1", "1", "0", "0"],
        "membranes": [[2], [2], [4], [1], [1]],
    },
    {
        "name": "floor-saturate",
        "rule": "below the floor V becomes the floor, after the membrane was compared",
        "program": {
            "inputs": 2,
            "cores": [cell([-5, 3], threshold=[1], reset="zero", floor=-2)],
            "lines": straight(2),
        },
        "drive": ["10", "01", "00", "10", "10"],
        "spikes": ["0", "1", "0", "0", "0"],
        "membranes": [[-5], [1], [0], [-5], [-7]],
    },
    {
        "name": "floor-equal-stays",
        "rule": "V equal to the floor is not below it, in either mode",
        "program": {
            "inputs": 1,
            "cores": [
                {
                    "axons": 1,
                    "planes": [{"start": 0, "scale": [-2, -2], "bits": ["1", "1"]}],
                    "threshold": [9, 9],
                    "reset": "none",
                    "floor": -2,
                    "floor_mode": ["saturate", "clear"],
                }
            ],
            "lines": straight(1),
        },
        "drive": ["1", "0", "1", "0"],
        "spikes": ["00", "00", "00", "00"],
        "membranes": [[-2, -2], [-2, -2], [-4, -4], [-2, 0]],
    },
    {
        "name": "floor-clear",
        "rule": "one strong negative pulse clears a neuron to zero",
        "program": {
            "inputs": 2,
            "cores": [cell([2, -100], threshold=[5], reset="subtract", floor=0, floor_mode="clear")],
            "lines": straight(2),
        },
        "drive": ["10", "10", "01", "10", "10", "10"],
        "spikes": ["0", "0", "0", "0", "0", "1"],
        "membranes": [[2], [4], [-96], [2], [4], [6]],
    },
    {
        "name": "floor-after-reset",
        "rule": "the floor is applied after the reset: -4 is below the floor of -3, but the spike first raises it to 5",
        "program": {
            "inputs": 2,
            "cores": [cell([-4, 3], threshold=[-9], reset="subtract", floor=-3)],
            "lines": straight(2),
        },
        "drive": ["10", "00", "10"],
        "spikes": ["1", "1", "1"],
        "membranes": [[-4], [5], [10]],
    },
    {
        "name": "leak-against-floor",
        "rule": "the leak acts in every tick, with or without arrivals, and the floor stops it",
        "program": {
            "inputs": 1,
            "cores": [cell([5], threshold=[4], leak=-2, reset="subtract", floor=0)],
            "lines": straight(1),
        },
        "drive": ["1", "0", "0", "1", "1"],
        "spikes": ["0", "0", "0", "0", "1"],
        "membranes": [[3], [1], [-1], [3], [6]],
    },
    {
        "name": "sums-beyond-2-to-24",
        "rule": "sums are whole numbers: 2^24 + 1 is not 2^24, as it would be in single precision",
        "program": {
            "inputs": 2,
            "cores": [cell([2**24, 1], threshold=[2**24 + 1])],
            "lines": straight(2),
        },
        "drive": ["11", "10", "01"],
        "spikes": ["1", "0", "0"],
        "membranes": [[2**24 + 1], [2**24], [1]],
    },
    {
        "name": "every-neuron-its-own-rule",
        "rule": "neurons of one core may differ in threshold, leak, reset, floor and what the floor does",
        "program": {
            "inputs": 1,
            "cores": [
                {
                    "axons": 1,
                    "planes": [{"start": 0, "scale": [3] * 5, "bits": ["1"] * 5}],
                    "threshold": [3, 5, 5, 5, 9],
                    "leak": [0, 0, 0, 0, -2],
                    "reset": ["memoryless", "zero", "subtract", "none", "none"],
                    "floor": [None, None, None, None, -1],
                    "floor_mode": ["saturate", "saturate", "saturate", "saturate", "clear"],
                }
            ],
            "lines": straight(1),
        },
        "drive": ["1", "1", "0", "1", "0", "0", "1"],
        "spikes": ["10000", "11110", "00010", "10010", "00010", "00010", "11110"],
        "membranes": [
            [3, 3, 3, 3, 1],
            [3, 6, 6, 6, 2],
            [0, 0, 1, 6, 0],
            [3, 3, 4, 9, 1],
            [0, 3, 4, 9, -1],
            [0, 3, 4, 9, -3],
            [3, 6, 7, 12, 1],
        ],
    },
    {
        "name": "delays-1-to-15",
        "rule": "a spike of tick t arrives in tick t + delay, for every delay from 1 to 15",
        "program": {
            "inputs": 1,
            "cores": [
                cell([1], threshold=[1]),
                {
                    "axons": 15,
                    "planes": [
                        {
                            "start": 0,
                            "scale": [1] * 15,
                            "bits": ["0" * k + "1" + "0" * (14 - k) for k in range(15)],
                        }
                    ],
                    "threshold": [1] * 15,
                },
            ],
            "routes": [[0, 0, 1, k, k + 1] for k in range(15)],
            "lines": straight(1),
        },
        "drive": ["1"] + ["0"] * 16,
        "spikes": ["1" + "0" * 15]
        + ["0" + "0" * k + "1" + "0" * (14 - k) for k in range(15)]
        + ["0" * 16],
        "membranes": [[1] + [0] * 15]
        + [[0] + [int(j == k) for j in range(15)] for k in range(15)]
        + [[0] * 16],
    },
    {
        "name": "two-arrivals-count-once",
        "rule": "axons are bits: two spikes that arrive on one axon in one tick count once, however long they travelled",
        "program": {
            "inputs": 2,
            "cores": [
                {
                    "axons": 2,
                    "planes": [{"start": 0, "scale": [1, 1], "bits": ["10", "01"]}],
                    "threshold": [1, 1],
                },
                cell([1], threshold=[2], reset="none"),
            ],
            "routes": [[0, 0, 1, 0, 2], [0, 1, 1, 0, 1]],
            "lines": straight(2),
        },
        "drive": ["10", "01", "00", "11", "00", "00"],
        "spikes": ["100", "010", "000", "110", "001", "001"],
        "membranes": [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [0, 0, 2], [0, 0, 3]],
    },
    {
        "name": "line-delay-zero",
        "rule": "a line with delay 0 arrives in the tick it is active, one with delay 2 two ticks later",
        "program": {
            "inputs": 1,
            "cores": [cell([1, 10], threshold=[1])],
            "lines": [[0, 0, 0, 0], [0, 0, 1, 2]],
        },
        "drive": ["1", "0", "1", "0", "0"],
        "spikes": ["1", "0", "1", "0", "1"],
        "membranes": [[1], [0], [11], [0], [10]],
    },
    {
        "name": "line-and-spike-on-one-axon",
        "rule": "a line and a spike may share an axon; together they are one arrival",
        "program": {
            "inputs": 1,
            "cores": [cell([1], threshold=[1])],
            "routes": [[0, 0, 0, 0, 2]],
            "lines": straight(1),
        },
        "drive": ["1", "0", "1", "0", "0", "0"],
        "spikes": ["1", "0", "1", "0", "1", "0"],
        "membranes": [[1], [0], [1], [0], [1], [0]],
    },
    {
        "name": "recurrence-one-tick",
        "rule": "no spike is seen in its own tick: a neuron that inhibits itself fires every other tick",
        "program": {
            "inputs": 1,
            "cores": [cell([1, -1], threshold=[1])],
            "routes": [[0, 0, 0, 1, 1]],
            "lines": straight(1),
        },
        "drive": ["1", "1", "1", "1", "1"],
        "spikes": ["1", "0", "1", "0", "1"],
        "membranes": [[1], [0], [1], [0], [1]],
    },
    {
        "name": "planes-add",
        "rule": "planes add up, each with its own scale per neuron; overlapping planes both count",
        "program": {
            "inputs": 3,
            "cores": [
                {
                    "axons": 3,
                    "planes": [
                        {"start": 0, "scale": [1, -2], "bits": ["110", "011"]},
                        {"start": 1, "scale": [4, 5], "bits": ["11", "10"]},
                    ],
                    "threshold": [5, 3],
                }
            ],
            "lines": straight(3),
        },
        "drive": ["100", "010", "001", "111"],
        "spikes": ["00", "11", "00", "10"],
        "membranes": [[1, 0], [5, 3], [4, -2], [10, 1]],
    },
    {
        "name": "a-zero-scale-and-an-empty-plane",
        "rule": "a set bit with scale 0 adds nothing; a plane without set bits is legal",
        "program": {
            "inputs": 2,
            "cores": [
                {
                    "axons": 2,
                    "planes": [
                        {"start": 0, "scale": [0], "bits": ["11"]},
                        {"start": 0, "scale": [3], "bits": ["00"]},
                        {"start": 1, "scale": [1], "bits": ["1"]},
                    ],
                    "threshold": [1],
                }
            ],
            "lines": straight(2),
        },
        "drive": ["10", "01", "11"],
        "spikes": ["0", "1", "1"],
        "membranes": [[0], [1], [1]],
    },
    {
        "name": "copies-fire-alike",
        "rule": "copies of a neuron with the same synapses fire in the same ticks, on different cores too",
        "program": {
            "inputs": 2,
            "cores": [
                {
                    "axons": 2,
                    "planes": [{"start": 0, "scale": [1, 1], "bits": ["11", "11"]}],
                    "threshold": [2, 2],
                    "reset": "zero",
                },
                cell([1, 1], threshold=[2], reset="zero"),
            ],
            "lines": [*straight(2), *straight(2, 1)],
        },
        "drive": ["10", "01", "11", "00", "10"],
        "spikes": ["000", "111", "111", "000", "000"],
        "membranes": [[1, 1, 1], [2, 2, 2], [2, 2, 2], [0, 0, 0], [1, 1, 1]],
    },
    {
        "name": "burst-counting",
        "rule": "a partial neuron sends its sum as spikes, one a tick; the aggregate counts them, fires when it is told to, "
        "and is cleared: 3 of 3 inputs, then 1, against a threshold of 2",
        "program": {
            "inputs": 3,
            "cores": [
                {
                    "axons": 3,
                    "planes": [{"start": 0, "scale": [1], "bits": ["111"]}],
                    "threshold": [1],
                    "reset": "subtract",
                },
                {
                    "axons": 3,
                    "planes": [
                        {"start": 0, "scale": [1], "bits": ["1"]},
                        {"start": 1, "scale": [50], "bits": ["1"]},
                        {"start": 2, "scale": [-100], "bits": ["1"]},
                    ],
                    "threshold": [52],
                    "reset": "zero",
                    "floor": 0,
                    "floor_mode": "clear",
                    "start": 4,
                },
            ],
            "routes": [[0, 0, 1, 0, 1]],
            "lines": [*straight(3), [3, 1, 1, 0], [4, 1, 2, 0]],
            "controls": [[3, 4], [4, 5]],
            "period": 6,
            "outputs": [[0, 1, 0]],
        },
        "drive": ["11100", "00000", "00000", "00000", "00010", "00001", "01000", "00000", "00000", "00000", "00010", "00001"],
        "spikes": ["10", "10", "10", "00", "01", "00", "10", "00", "00", "00", "00", "00"],
        "membranes": [
            [3, 0], [2, 1], [1, 2], [0, 3], [0, 53], [0, -100],
            [1, 0], [0, 1], [0, 1], [0, 1], [0, 51], [0, -49],
        ],
        "bits": [["111"], ["010"], ["000"], ["011"]],
        "frames": {
            "sums": [[1], [0], [0], [1]],
            "spikes": [[3, 1], [1, 0], [0, 0], [2, 1]],
            "axon_events": [[3, 3], [1, 2], [0, 4], [2, 2]],
            "synaptic_events": [[3, 3], [1, 2], [0, 4], [2, 2]],
        },
    },
    {
        "name": "controls-every-period",
        "rule": "a control line pulses in its tick of every period; here it is a bias of -1 on the first of two ticks",
        "program": {
            "inputs": 1,
            "cores": [cell([2, -1], threshold=[1])],
            "lines": [[0, 0, 0, 0], [1, 0, 1, 0]],
            "controls": [[1, 0]],
            "period": 2,
            "readout": "membrane",
            "outputs": [[0, 0, 0]],
            "base": [10],
        },
        "drive": ["11", "00", "01", "10", "01"],
        "spikes": ["1", "0", "0", "1", "0"],
        "membranes": [[1], [0], [-1], [2], [-1]],
        "bits": [["1"], ["0"], ["1"]],
        "frames": {
            "sums": [[11], [9], [11]],
            "spikes": [[1], [0], [1]],
            "axon_events": [[2], [1], [2]],
            "synaptic_events": [[2], [1], [2]],
        },
    },
    {
        "name": "frames-in-flight",
        "rule": "frames follow each other every tick while earlier ones are still on their way; windows keep them apart",
        "program": {
            "inputs": 2,
            "cores": [
                {
                    "axons": 2,
                    "planes": [{"start": 0, "scale": [1, 1], "bits": ["11", "10"]}],
                    "threshold": [2, 1],
                },
                {
                    "axons": 2,
                    "planes": [
                        {"start": 0, "scale": [1, 1], "bits": ["10", "01"]},
                        {"start": 1, "scale": [-1, 0], "bits": ["1", "0"]},
                    ],
                    "threshold": [1, 1],
                    "start": 3,
                },
            ],
            "routes": [[0, 0, 1, 0, 3], [0, 1, 1, 1, 3]],
            "lines": straight(2),
            "outputs": [[0, 1, 0], [1, 1, 1], [1, 0, 1]],
            "base": [0, -1],
        },
        "drive": ["11", "10", "01", "00", "00", "00", "00"],
        "spikes": ["1100", "0100", "0000", "0001", "0001", "0000", "0000"],
        "membranes": [
            [2, 1, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, -1, 1], [0, 0, 0, 0], [0, 0, 0, 0]
        ],
        "bits": [["11"], ["10"], ["01"], ["11"]],
        "frames": {
            "sums": [[0, 1], [0, 1], [0, -1], [0, 1]],
            "spikes": [[2, 1], [1, 1], [0, 0], [2, 1]],
            "axon_events": [[2, 2], [1, 1], [1, 0], [2, 2]],
            "synaptic_events": [[3, 3], [2, 2], [1, 0], [3, 3]],
        },
    },
    {
        "name": "a-spike-carries-v",
        "rule": "the spike of a graded neuron gives its axons V as it was after step 2, with the leak; silence gives 0",
        "program": {
            "inputs": 3,
            "cores": [
                {
                    "axons": 3,
                    "planes": [
                        {"start": 0, "scale": [1, 1], "bits": ["111", "110"]},
                        {"start": 2, "scale": [0, -1], "bits": ["0", "1"]},
                    ],
                    "threshold": [1, 1],
                    "leak": [0, 1],
                    "reset": "graded",
                },
                cell([1, -2], threshold=[1]),
            ],
            "routes": [[0, 0, 1, 0, 1], [0, 1, 1, 1, 1]],
            "lines": straight(3),
        },
        "drive": ["111", "110", "001", "000", "101"],
        "spikes": ["110", "110", "100", "011", "110"],
        "membranes": [[3, 2, 0], [2, 3, -1], [1, 0, -4], [0, 1, 1], [2, 1, -2]],
    },
    {
        "name": "numbers-on-their-way",
        "rule": "numbers wait for their delay, may be made of numbers, and add up where V is kept",
        "program": {
            "inputs": 2,
            "cores": [
                cell([2, 3], threshold=[1], reset="graded"),
                cell([1], threshold=[3], leak=1, reset="graded"),
                cell([1, 1], threshold=[5], reset="subtract"),
            ],
            "routes": [[0, 0, 1, 0, 3], [1, 0, 2, 0, 1], [0, 0, 2, 1, 2]],
            "lines": straight(2),
        },
        "drive": ["10", "11", "01", "00", "00", "00", "00", "00"],
        "spikes": ["100", "100", "100", "011", "011", "011", "001", "000"],
        "membranes": [
            [2, 1, 0], [5, 1, 0], [3, 1, 2], [0, 3, 7], [0, 6, 8], [0, 4, 9], [0, 1, 8], [0, 1, 3]
        ],
    },
    {
        "name": "a-number-is-one-event",
        "rule": "a spike that carries a number is one spike, one axon event, and one synaptic event for each synapse",
        "program": {
            "inputs": 3,
            "cores": [
                cell([1, 1, 1], threshold=[1], reset="graded", start=0),
                {
                    "axons": 1,
                    "planes": [{"start": 0, "scale": [1, 2], "bits": ["1", "1"]}],
                    "threshold": [2, 4],
                    "start": 1,
                },
            ],
            "routes": [[0, 0, 1, 0, 1]],
            "lines": straight(3),
            "outputs": [[0, 0, 0], [1, 1, 0], [1, 1, 1]],
            "base": [0, 0],
        },
        "drive": ["111", "100", "000", "000"],
        "spikes": ["100", "111", "000", "000"],
        "membranes": [[3, 0, 0], [1, 3, 6], [0, 1, 2], [0, 0, 0]],
        "bits": [["111"], ["100"], ["000"], ["011"]],
        "frames": {
            "sums": [[1, 2], [1, 0], [0, 0], [1, 2]],
            "spikes": [[1, 2], [1, 0], [0, 0], [1, 2]],
            "axon_events": [[3, 1], [1, 1], [0, 0], [2, 1]],
            "synaptic_events": [[3, 2], [1, 2], [0, 0], [2, 2]],
        },
    },
]  # fmt: skip


def main(folder: Path | None = None) -> None:
    """Check the hand against the interpreter, then write."""
    here = Path(__file__).resolve().parent if folder is None else folder
    for case in CASES:
        spikes, membranes, _ = play(case["program"], case["drive"])
        assert spikes == case["spikes"], (case["name"], spikes)
        assert membranes == case["membranes"], (case["name"], membranes)
        document = {key: case[key] for key in ("name", "rule", "program", "drive", "spikes", "membranes")}
        if "bits" in case:
            document["frames"] = {"bits": case["bits"], **case["frames"]}
            found = ask(case["program"], case["bits"])
            assert found == document["frames"], (case["name"], found)
        text = json.dumps(document, indent=1, ensure_ascii=False)
        (here / f"{case['name']}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
