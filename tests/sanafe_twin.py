"""A reader of SANA-FE's two files that follows its documented steps, for machines where SANA-FE itself is not at hand.

It knows the files only: groups, attributes, edges and mapping of the line format, tiles and prices of the YAML. What a
unit does is SANA-FE's own rule, as its documents and its test runs show it; nothing here is shared with the emitter.
"""

from __future__ import annotations

import re
from pathlib import Path


def read_net(path: Path):
    """Neurons by name with their attributes, edges by source, and (tile, core) by name."""
    neurons, edges, place, groups = {}, {}, {}, 0
    for line in path.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        kind, rest = line.split(" ", 1)
        if kind == "g":
            count, *attributes = rest.split()
            shared = dict(part.split("=") for part in attributes)
            for n in range(int(count)):
                neurons[f"{groups}.{n}"] = dict(shared)
            groups += 1
        elif kind == "n":
            name, attributes = rest.split(" ", 1)
            if attributes.startswith("{"):
                neurons[name]["spikes"] = [int(bit) for bit in re.search(r"\[(.*)\]", attributes)[1].split(",") if bit]
            else:
                neurons[name] |= dict(part.split("=") for part in attributes.split())
        elif kind == "e":
            pair, *attributes = rest.split()
            source, goal = pair.split("->")
            told = dict(part.split("=") for part in attributes)
            edges.setdefault(source, []).append((goal, int(told["w"]), int(told.get("d", 0))))
        elif kind == "&":
            name, where = rest.split("@")
            place[name] = tuple(int(part) for part in where.split("."))
    return neurons, edges, place


def read_arch(path: Path):
    """Rows of tiles, prices by name, and how many cores each tile has."""
    text = path.read_text()
    rows = int(re.search(r"height: (\d+)", text)[1])
    tiles = re.split(r"\n    - name: tile", text)[1:]
    cores = [
        sum(int(last) + 1 for last in re.findall(r"        - name: \w+\[0\.\.(\d+)\]\n          attributes:\n            buffer", tile))
        for tile in tiles
    ]
    real = next(tile for tile in tiles if "- name: core[0.." in tile).split("- name: host")[0]
    prices = {key: float(value) for key, value in re.findall(r"(energy_\w+): ([\d.e+-]+)", real.split("- name: read[0..")[0])}
    prices |= {key: float(value) for key, value in re.findall(r"(energy_message_out): ([\d.e+-]+)", real)}
    return rows, prices, cores


def run(net: Path, arch: Path, steps: int):
    """Spikes by step, counts by step (SANA-FE's names), potentials of logged neurons by step, joules by step."""
    neurons, edges, place = read_net(net)
    rows, prices, cores = read_arch(arch)
    assert set(place) == set(neurons), "every neuron is mapped"
    assert all(slot < cores[tile] for tile, slot in place.values()), "every neuron's core exists"
    v, last = dict.fromkeys(neurons, 0.0), {}
    waiting: dict[tuple[int, str], float] = {}
    spikes, counts, potentials, joules = [], [], [], []
    for step in range(1, steps + 1):
        fired, updated, cost = [], 0, 0.0
        for name, how in neurons.items():
            heard = waiting.pop((step, name), None)
            if how["soma_hw_name"].startswith("input"):
                train = how.get("spikes", [])
                spike = step <= len(train) and bool(train[step - 1])
                active = spike
            else:
                bias, threshold = float(how["bias"]), float(how["threshold"])
                active = v[name] != 0 or heard is not None or bias != 0
                if how["soma_hw_name"].startswith("read"):
                    last[name] = v[name] * float(how["leak_decay"]) + bias + (heard or 0.0)
                    v[name], spike = last[name], last[name] > threshold
                    assert how["reset_mode"] == "none"
                else:
                    v[name], spike = _truenorth(v[name] + bias + (heard or 0.0), how, threshold)
                cost += prices["energy_access_neuron"] + (active or spike) * prices["energy_update_neuron"]
                cost += spike * prices["energy_spike_out"]
            updated += active or spike
            if spike:
                fired.append(name)
        packets = hops = events = 0
        for name in fired:
            free = neurons[name]["soma_hw_name"].startswith("input")
            for tile, _ in {place[goal] for goal, _, _ in edges.get(name, ())}:
                x, y = abs(place[name][0] // rows - tile // rows), abs(place[name][0] % rows - tile % rows)
                assert not (free and x + y), "an input makes no hop"
                packets, hops = packets + 1, hops + x + y
                cost += 0 if free else prices["energy_message_out"]
                cost += x * prices["energy_east_hop"] + y * prices["energy_north_hop"]
            for goal, weight, delay in edges.get(name, ()):
                at = step + 1 + delay, goal
                waiting[at] = waiting.get(at, 0.0) + weight
                events += 1
                cost += prices["energy_process_spike"]
        spikes.append(fired)
        counts.append({"fired": len(fired), "updated": updated, "packets": packets, "hops": hops, "spikes": events})
        potentials.append({name: v[name] for name, how in neurons.items() if how.get("log_v") == "1"})
        joules.append(cost)
    return spikes, counts, potentials, joules


def _truenorth(v: float, how: dict[str, str], threshold: float):
    if v >= threshold:
        return {"hard": 0.0, "soft": v - threshold, "none": v}[how["reset_mode"]], True
    low = float(how["reverse_threshold"])
    if v <= low:
        return {"hard": 0.0, "saturate": low, "none": v}[how["reverse_reset_mode"]], False
    return v, False


def write(folder: Path, net: Path, arch: Path, steps: int) -> None:
    """The traces as SANA-FE writes them."""
    neurons, _, _ = read_net(net)
    spikes, counts, potentials, joules = run(net, arch, steps)
    folder.mkdir(exist_ok=True)
    logged = [f"{name},{k}" for k, fired in enumerate(spikes, 1) for name in fired if neurons[name].get("log_spikes") == "1"]
    (folder / "spikes.csv").write_text("\n".join(["neuron,timestep", *logged]) + "\n")
    names = list(potentials[0]) if potentials else []
    head = "timestep," + "".join(f"neuron {name}," for name in names)
    rows = [head, *(f"{k}," + "".join(f"{row[name]:g}," for name in names) for k, row in enumerate(potentials, 1))]
    (folder / "potentials.csv").write_text("\n".join(rows) + "\n")
    columns = ("fired", "updated", "packets", "hops", "spikes")
    head = "timestep,fired,updated,packets,hops,spikes,sim_time,synapse_energy,dendrite_energy,soma_energy,network_energy,total_energy"
    rows = [f"{k},{','.join(str(int(row[c])) for c in columns)},0,0,0,0,0,{joules[k - 1]:e}" for k, row in enumerate(counts, 1)]
    (folder / "perf.csv").write_text("\n".join([head, *rows]) + "\n")
