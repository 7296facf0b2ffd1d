"""The neuron of the tick law in Brian2's words: equations, what is done each tick, threshold and reset.

`v` is the membrane. After a tick's slot "groups" it is V of step 2, before the spike; the reset of a spike is Brian2's
own; the floor of step 5 and the clearing of memoryless neurons are done at the start of the next tick's step 1,
which is the same, and leaves a memoryless neuron's sum in `v` to be read. All are integers; v has 64 bits.

A number that a spike carries is spelled in bits: for each there is a neuron more, which fires with its sender where
the sender's `v` has that bit, so that numbers travel as spikes do, whatever their delay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spikebnn.arrays import I64, Array
from spikebnn.program import CLEAR, FORGETS, SUBTRACT, ZERO, Program

THRESHOLD = "v >= theta"
SPELLED = "v_sender : integer (linked)\nleast : integer (constant)\nplace : integer (constant)"
SPELLS = "v_sender >= least and v_sender // place % 2 == 1"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """One kind of neuron for a whole program; only what the program's modes need is written."""

    equations: str
    integrate: str  # takes the sum of what arrived from `arrived`
    reset: str
    values: Mapping[str, Array]  # name -> (neurons,), the constants of `equations`


def model(program: Program, arrived: str) -> Model:
    """The model for a program; `arrived` is the expression for the sum of the weights that arrive in a tick."""

    def joined(name: str) -> I64:
        parts = [getattr(core, name).astype(np.int64) for core in program.cores]
        return np.concatenate([np.zeros(0, np.int64), *parts])

    theta, floor, mode = joined("threshold"), joined("floor"), joined("reset")
    values = {"theta": theta, "leak": joined("leak")}
    forgets, zero, subtracts = np.isin(mode, FORGETS), mode == ZERO, mode == SUBTRACT
    steps = []
    if not forgets.all():
        values["lowest"] = floor
        values["raised"] = np.where(joined("floor_mode") == CLEAR, 0, floor)
        steps.append("v = v*int(v >= lowest) + raised*int(v < lowest)")
    if forgets.all():
        steps.append(f"v = {arrived} + leak")
    elif forgets.any():
        values["keep"] = (~forgets).astype(np.int64)
        steps.append(f"v = keep*v + {arrived} + leak")
    else:
        steps.append(f"v = v + {arrived} + leak")
    if zero.all() and len(mode):
        reset = "v = 0"
    elif subtracts.all() and len(mode):
        reset = "v = v - theta"
    elif (zero | subtracts).any():
        values["stay"] = (~zero).astype(np.int64)
        values["drop"] = np.where(subtracts, theta, 0)
        reset = "v = stay*v - drop"
    else:
        reset = ""
    constants = "\n".join(f"{name} : integer (constant)" for name in values)
    return Model(
        equations=f"v : integer\n{constants}", integrate="\n".join(steps), reset=reset, values=values
    )
