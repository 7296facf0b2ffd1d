"""SANA-FE's architecture file for a target: its mesh, its units, and the target's own constants as their prices."""

from __future__ import annotations

from spikebnn.exchange.slots import Slots
from spikebnn.targets.target import Quantity, Target

PRICED = ("synaptic_event", "neuron_idle", "neuron_active", "spike", "message", "hop_x", "hop_y")


def unpriced(target: Target) -> tuple[str, ...]:
    """Constants that nobody has published. SANA-FE demands a number; the file says 0 and its energy lacks them."""
    return tuple(key for key in PRICED if key not in target.energy and key not in target.included)


def architecture(target: Target, places: Slots, delays: bool) -> str:
    """The text of arch.yaml (format: arch/README.md of SLAM-Lab/SANA-FE @8951ab0).

    Neurons run on the unit `truenorth`, which fires at >= and adds its bias each step as the tick law does; those
    whose membrane is read out run on `leaky_integrate_fire`, whose potential can be seen after the step.
    `delays` puts the time-step buffer into a dendrite that can hold arrivals back.
    """
    lines = [
        f"# {target.title}. Prices: the constants of target {target.name}, joules and seconds.",
        "# Of the mesh, the corner that the program uses; cores called host hold its inputs and cost nothing.",
        *(f"# {key}: nobody has published it; 0 stands for unknown" for key in unpriced(target)),
        "architecture:",
        f"  name: {_plain(target.name)}",
        "  attributes:",
        "    topology: mesh",
        f"    width: {places.columns}",
        f"    height: {places.rows}",
        "    link_buffer_size: 16",
        "    sync_model: fixed",
        f"    latency_sync: {_value(target.timing.get('barrier'))}",
        "  tile:",
    ]
    units = [1] * len(places.depth)
    for group in places.groups:
        units[group.tile] = max(units[group.tile], int(group.dendrite.split("[")[1][:-1]) + 1)
    for tile in range(places.columns * places.rows):
        lines += _tile(tile, target)
        if not places.depth[tile]:
            lines += _core("empty[0..0]", _soma("input", "input", None, 1), delays, 1, None)
            continue
        somas = [
            *_soma("fire", "truenorth", target, units[tile]),
            *_soma("read", "leaky_integrate_fire", target, units[tile]),
        ]
        lines += _core(f"core[0..{places.depth[tile] - 1}]", somas, delays, units[tile], target)
        for number, many in enumerate(places.hosts[tile]):
            lines += _core(f"host{number}[0..0]", _soma("input", "input", None, many), delays, 1, None)
    return "\n".join(lines) + "\n"


def _tile(number: int, target: Target) -> list[str]:
    lines = [f"    - name: tile{number}[0..0]", "      attributes:"]
    for way, key in (("north", "hop_y"), ("east", "hop_x"), ("south", "hop_y"), ("west", "hop_x")):
        lines += [
            f"        energy_{way}_hop: {_value(target.energy.get(key))}",
            f"        latency_{way}_hop: {_value(target.timing.get(key))}",
        ]
    return [*lines, "      core:"]


def _core(name: str, somas: list[str], delays: bool, units: int, target: Target | None) -> list[str]:
    """A core with its units. Without a target it belongs to the host, and nothing that it does costs anything."""
    prices, times = (target.energy, target.timing) if target is not None else ({}, {})
    return [
        f"        - name: {name}",
        "          attributes:",
        f"            buffer_position: {'dendrite' if delays else 'soma'}",
        f"            buffer_inside_unit: {'true' if delays else 'false'}",
        "            max_neurons_supported: 65536",
        "          axon_in:",
        "            - name: axons_in",
        "              attributes:",
        "                energy_message_in: 0.0",
        f"                latency_message_in: {_value(times.get('message_in'))}",
        "          synapse:",
        "            - name: synapses",
        "              attributes:",
        "                model: current_based",
        f"                energy_process_spike: {_value(prices.get('synaptic_event'))}",
        f"                latency_process_spike: {_value(times.get('synaptic_event'))}",
        "          dendrite:",
        f"            - name: dendrite[0..{units - 1}]",
        "              attributes:",
        f"                model: {'accumulator_with_delay' if delays else 'accumulator'}",
        "                energy_update: 0.0",
        "                latency_update: 0.0",
        "          soma:",
        *somas,
        "          axon_out:",
        "            - name: axons_out",
        "              attributes:",
        f"                energy_message_out: {_value(prices.get('message'))}",
        f"                latency_message_out: {_value(times.get('message'))}",
    ]


def _soma(name: str, model: str, target: Target | None, count: int) -> list[str]:
    lines = [
        f"            - name: {name}[0..{count - 1}]",
        "              attributes:",
        f"                model: {model}",
    ]
    for what, table in (("energy", target and target.energy), ("latency", target and target.timing)):
        known = table or {}
        idle, active = known.get("neuron_idle"), known.get("neuron_active")
        if idle is None or active is None:
            idle = active = None
        more = 0.0 if idle is None or active is None else active.v - idle.v
        lines += [
            f"                {what}_access_neuron: {_value(idle)}",
            f"                {what}_update_neuron: {more:.6e}",
            f"                {what}_spike_out: {_value(known.get('spike'))}",
        ]
    return lines


def _value(quantity: Quantity | None) -> str:
    return "0.0" if quantity is None else f"{quantity.v:.6e}"


def _plain(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)
