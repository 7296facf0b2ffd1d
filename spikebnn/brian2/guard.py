"""What a `MappedNet` refuses: sources that cannot feed it, and runs that would not be exact, each with the reason."""

from __future__ import annotations

from typing import Any

import brian2 as b2
import numpy as np

from spikebnn.arrays import I64
from spikebnn.brian2 import order
from spikebnn.errors import InputError

DEVICES = ("runtime", "cpp_standalone")


def check_source(net: Any, source: Any, index: Any) -> I64:
    """The source neuron of each input bit, or one sentence."""
    inputs = net.program.inputs
    if isinstance(source, b2.TimedArray):
        shape = source.values.shape
        if len(shape) != 2 or shape[1] != inputs:
            raise InputError(
                f"the TimedArray has shape {shape}, and {net.name} takes (ticks, {inputs}), "
                "0 or 1 for each input bit in each tick"
            )
        if not np.isclose(float(source.dt), net.tick_seconds, rtol=1e-9, atol=0):
            raise InputError(
                f"the TimedArray steps every {source.dt * b2.second}, and {net.name} every {net.clock.dt}; "
                "make one like the other, or rows would be left out or played twice"
            )
        return np.arange(inputs)
    if hasattr(source, "program") and hasattr(source, "output"):
        raise InputError(
            f"{source.name} is a whole network; give one of its groups, such as {source.name}.output"
        )
    if "spike" not in getattr(source, "events", {}):
        kind = type(source).__name__
        why = (
            "it has no threshold, so it never spikes"
            if isinstance(source, b2.NeuronGroup)
            else f"a {kind} fires no spikes of its own"
        )
        raise InputError(
            f"{source.name} cannot be the source of {net.name}: {why}; a PoissonGroup, a SpikeGeneratorGroup, "
            "a NeuronGroup with a threshold, or a part of one can"
        )
    count = len(source)
    if index is None:
        if count != inputs:
            raise InputError(
                f"{source.name} has {count} neurons, and {net.name} takes {inputs} input bits; "
                f"give index=, the neuron of {source.name} for each input bit"
            )
        return np.arange(inputs)
    chosen = np.asarray(index)
    if chosen.shape != (inputs,) or chosen.dtype.kind not in "iu":
        raise InputError(
            f"index is of shape {chosen.shape} and type {chosen.dtype}; {net.name} takes {inputs} whole numbers, "
            "one source neuron for each input bit"
        )
    if len(chosen) and not (chosen.min() >= 0 and chosen.max() < count):
        raise InputError(
            f"index names neurons {chosen.min()} to {chosen.max()}, and {source.name} has 0 to {count - 1}"
        )
    return chosen.astype(np.int64)


def check_run(net: Any) -> None:
    """Raise before a run in which spikes would not be those of the program."""
    device = next((name for name, known in b2.all_devices.items() if known is b2.get_device()), "unknown")
    if device not in DEVICES:
        raise InputError(
            f"{net.name} is exact on the devices {' and '.join(DEVICES)}, and the device is {device}; "
            'choose one with set_device("runtime")'
        )
    if not np.isclose(float(net.clock.dt_), net.tick_seconds, rtol=1e-12, atol=0):
        raise InputError(
            f"the dt of {net.name} was {net.tick_seconds * b2.second} when its delays were set and is {net.clock.dt} "
            "now; make a new one with dt="
        )
    asleep = sorted(part.name for part in _parts(net) if not part.active)
    if asleep:
        why = "" if net.source is None else f"; its source {net.source.name} must be in the network too"
        raise InputError(f"{net.name} cannot run without its part {asleep[0]}, which is not active{why}")
    for network in running(net):
        check_schedule(net, network)


def check_ticks(net: Any, ended: int | None, begins: int) -> None:
    """Raise where a run leaves out ticks after the last one: what was under way would arrive that much later."""
    if ended is not None and begins > ended:
        raise InputError(
            f"{net.name} was run until {ended * net.clock.dt} and left out of the run after that, until "
            f"{begins * net.clock.dt}, so its spikes would be late; let it run along, or make a new one with start="
        )


def running(net: Any) -> list[Any]:
    """The networks that hold this object."""
    out = []
    for reference in b2.Network.__instances__():
        network = reference()
        if network is not None and net.name in network and network[net.name] is net:
            out.append(network)
    return out


def check_schedule(net: Any, network: Any) -> None:
    """Raise where the source fires after it is heard, so that every frame would be one tick late."""
    if net.source is None:
        return
    group = getattr(net.source, "source", net.source)
    fires = group.thresholder["spike"] if hasattr(group, "thresholder") else group
    slots = list(network.schedule)

    def position(when: str) -> int:
        bare = when.removeprefix("before_").removeprefix("after_")
        return 3 * slots.index(bare) + (
            0 if when.startswith("before_") else 2 if when.startswith("after_") else 1
        )

    late = (position(fires.when), fires.order) >= (position(order.SLOT), order.HEAR)
    mapped = any(
        group in other.contained_objects for other in network.objects if hasattr(other, "first_tick")
    )
    if late and not mapped:
        raise InputError(
            f"{group.name} fires in the slot {fires.when!r} with order {fires.order}, after {net.name} has heard "
            f"this tick's spikes (slot {order.SLOT!r}, order {order.HEAR}), so every frame would be one tick late; "
            "let it fire earlier, or change the network's schedule"
        )


def _parts(thing: Any) -> list[Any]:
    out = []
    for part in thing.contained_objects:
        out += [part, *_parts(part)]
    return out
