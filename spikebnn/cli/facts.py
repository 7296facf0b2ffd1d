"""What a program is, in numbers: for the end of `map`, and for `report net.sbnn`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spikebnn.cli.screen import table
from spikebnn.program import AUXILIARY, Program
from spikebnn.units import pace, si, ticks


def facts_of(program: Program) -> dict[str, Any]:
    """Sizes, times, layers and findings of a program, as plain data."""
    from spikebnn.sbnn import digest

    rows = []
    for index, layer in enumerate(program.layers):
        mine = [core.layer == index for core in program.cores]
        used = sum(bool(hit.any()) for hit in mine)
        physical = sum(int(hit.sum()) for hit in mine)
        rows.append(
            {
                "layer": layer.name,
                "role": layer.role,
                "neurons": layer.neurons,
                "on_cores": used,
                "physical": physical,
            }
        )
    return {
        "target": program.target,
        "program": digest(program),
        "network": program.header.get("network", ""),
        "cores": len(program.cores),
        "lower_bound_cores": program.header.get("lower_bound_cores", 0),
        "bound": _plain(program.header.get("bound", {})),
        "neurons": sum(core.neurons for core in program.cores),
        "auxiliary_neurons": sum(int((core.unit == AUXILIARY).sum()) for core in program.cores),
        "routes": len(program.routes),
        "inputs": program.inputs,
        "input_code": program.encoder.kind,
        "ticks_per_frame": program.period,
        "latency_ticks": program.latency,
        "readout": program.readout,
        "placement": _plain(program.header.get("placement", {})),
        "split": _plain(program.header.get("split", {})),
        "merged": _plain(program.header.get("merged", {})),
        "shared": _plain(program.header.get("shared", {})),
        "layers": rows,
        "findings": _plain(program.header.get("findings", ())),
    }


def _plain(value: Any) -> Any:
    """Dicts and lists where a header has mappings and tuples."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (tuple, list)) else value


def text_of(facts: dict[str, Any]) -> str:
    """The same for reading."""
    head = ["layer", "role", "neurons", "on cores", "physical"]
    rows = [list(row.values()) for row in facts["layers"]]
    extra = f", {facts['auxiliary_neurons']} of them auxiliary" if facts["auxiliary_neurons"] else ""
    idle = "" if facts["cores"] else "; nothing is left for the chip, the host computes every layer"
    lines = [
        f"target     {facts['target']}",
        f"cores      {facts['cores']}{idle}{_bound(facts)}",
        f"neurons    {facts['neurons']}{extra}",
        f"inputs     {facts['inputs']} bits ({facts['input_code']})",
        f"time       {pace(facts['ticks_per_frame'])}, its answer after {ticks(facts['latency_ticks'])}",
        *_merged(facts.get("merged", {}), facts.get("shared", {})),
        *_split(facts.get("split", {})),
        *_traffic(facts.get("placement") if facts["cores"] else None),
        f"program    sha256 {facts['program'][:16]}",
        "",
        table(head, rows),
    ]
    if facts["findings"]:
        lines += ["", "findings"]
        lines += [f"  {finding['layer']}: {finding['text']}" for finding in facts["findings"]]
    return "\n".join(lines)


def _merged(pools: dict[str, int], shared: dict[str, int]) -> list[str]:
    """Pools without neurons, and pools whose inputs share an axon, layer by layer; nothing where there are none."""
    told = [
        f"{which}: " + ", ".join(f"{name} ({count} neurons)" for name, count in found.items())
        for which, found in (("fused into what they read, without a neuron or a tick", pools),
                             ("one axon for all that they read", shared)) if found
    ]  # fmt: skip
    return [f"{'pools' if k == 0 else '':11}{text}" for k, text in enumerate(told)]


def _split(price: dict[str, Any]) -> list[str]:
    """How wide neurons are added up, and what it costs; nothing where none is split."""
    if price.get("method", "none") == "none" or "spikes" not in price:
        return []
    joules = f", {si(price['joules'], 'J')}" if price["joules"] is not None else ""
    count = f"{len(price['layers'])} layer{'s' if len(price['layers']) > 1 else ''}"
    spikes = f"{price['spikes']:,.0f} spikes"
    lines = [f"split      {price['method']}, of {count}; expected per frame {spikes}{joules} without hops"]
    clipping = price.get("clipping")
    if clipping and not price["lossless"]:
        share, frames = f"{clipping['measured']:.2%}", clipping["frames"]
        lines.append(f"           approximate: {share} of partial sums were cut off on {frames} frames, and a sum may be "
                     f"wrong by {clipping['worst']}")  # fmt: skip
    return lines


def _traffic(placement: dict[str, Any] | None) -> list[str]:
    """Hops of a frame's packets, against raster order; programs that were not placed by a mapper have none."""
    if not placement:
        return []
    raster = placement["raster"]
    if not raster["weighed"] and not placement["weighed"]:
        return ["traffic    no packet leaves the router of its core"]
    saved = 1 - placement["weighed"] / raster["weighed"] if raster["weighed"] else 0.0
    against = f"{saved:.0%} below raster order" if saved >= 0 else f"{-saved:.0%} above raster order"
    crossings = f", {placement['crossings']:,.0f} crossings of chips" if raster["crossings"] or placement["crossings"] else ""
    head = f"traffic    {placement['hops']:,.0f} hops per frame{crossings} ({placement['method']}, {against})"
    return [head, f"           packets {placement['packets']}"]


def _bound(facts: dict[str, Any]) -> str:
    """How near the cores are to the fewest that are possible."""
    least, by = facts.get("lower_bound_cores", 0), next(iter(facts.get("bound", {})), "")
    return f", {facts['cores'] / least:.2f} times the least possible, {least} by {by}" if least and by else ""
