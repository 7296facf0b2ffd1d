"""A target's costs at another supply voltage, by two laws: switched charge, and leakage through transistors that are off."""

from __future__ import annotations

import math
from dataclasses import replace
from types import MappingProxyType

from spikebnn.errors import InputError
from spikebnn.interval import Interval, interval
from spikebnn.targets.target import Quantity, Target

PADS = ("chip_crossing",)  # paid on a supply of their own


def at_voltage(target: Target, volts: float) -> Target:
    """The target with its costs at a supply of `volts`; itself at its nominal supply.

    With r = V / V0, the energy of an event is scaled by r^2, that of a charged capacitance, and static power by
    r exp(k (V - V0)): the voltage times a subthreshold current that grows with the drain's voltage, k being
    ln 10 x DIBL / swing (`voltage.leakage_slope`, an interval, which widens static power). Both are
    textbook device physics; nothing is fitted to the chip's powers. The cost of leaving a chip stays, pads have a
    supply of their own. The fastest tick is taken away: how it depends on the voltage is not known.
    Raises InputError where the target has no such numbers or does not work at that voltage.
    """
    scale = target.voltage
    if not scale:
        raise InputError(
            f"{target.name} says nothing about its supply voltage; its costs hold for one supply only"
        )
    nominal, low, high = (scale[key].v for key in ("nominal", "lowest", "highest"))
    if not low - 1e-12 <= volts <= high + 1e-12:
        raise InputError(f"{target.name} works from {low:g} to {high:g} V; {volts:g} V was asked for")
    if volts == nominal:
        return target
    ratio = volts / nominal
    ends = [math.exp(k * (volts - nominal)) for k in _ends(interval(scale["leakage_slope"]))]
    leaks = Interval(lo=min(ends), v=ends[1], hi=max(ends)) * ratio
    energy = {
        key: cost if key in PADS else _scaled(cost, leaks if key == "static_power" else _square(ratio), volts)
        for key, cost in target.energy.items()
    }
    timing = {key: value for key, value in target.timing.items() if key == "tick"}
    return replace(target, energy=MappingProxyType(energy), timing=MappingProxyType(timing))


def _ends(value: Interval) -> tuple[float, float, float]:
    return value.lo, value.v, value.hi


def _square(ratio: float) -> Interval:
    return Interval(lo=ratio**2, v=ratio**2, hi=ratio**2)


def _scaled(cost: Quantity, by: Interval, volts: float) -> Quantity:
    scaled = interval(cost) * by
    cond = f"scaled to {volts:g} V" + (f"; {cost.cond}" if cost.cond else "")
    return replace(cost, lo=scaled.lo, v=scaled.v, hi=scaled.hi, kind="derived", cond=cond)
