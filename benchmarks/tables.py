"""What was measured, for reading: tables on the terminal, and one in Markdown for the README."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- make bench -->", "<!-- end of make bench -->"
COMPARED = (
    "NumPy float32", "torch float32", "torch int8", "onnxruntime int8", "Brian2 cpp_standalone", "Brian2 cython",
    "Brian2 numpy", "Lava Dense and LIF", "SANA-FE", "reference", "bitwise, NumPy alone",
)  # fmt: skip


def rough(number: float) -> str:
    """Three digits, with commas between thousands."""
    if number >= 1000:
        digits = 10 ** (len(str(int(number))) - 3)
        return f"{round(number / digits) * digits:,}"
    return f"{number:.3g}"


def columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The first column to the left, all others to the right."""
    cells = [list(head), *(list(row) for row in rows)]
    wide = [max(len(row[n]) for row in cells) for n in range(len(head))]
    return "\n".join(
        "  ".join(
            [row[0].ljust(wide[0]), *(cell.rjust(size) for cell, size in zip(row[1:], wide[1:]))]
        ).rstrip()
        for row in cells
    )


def workload(found: Mapping[str, Any]) -> str:
    """One workload: its ways, and how many times as fast as each of them the engine is."""
    unit = "ticks" if found["name"].startswith("W3") else "frames"
    rows = [
        (
            row["way"],
            row["package"],
            row["clock"],
            f"{row['frames']:,}",
            rough(row["frames_per_second"]),
            rough(row["synapses_per_second"]),
            rough(row["times_numpy"]) if row["times_numpy"] else "",
            rough(row["bitwise_times"]) if row["bitwise_times"] else "",
        )
        for row in found["rows"]
    ]
    head = ("way", "package", "clock", unit, f"{unit}/s", "synapses/s", "x NumPy", "bitwise is x it")
    lines = [f"{found['name']}: {found['about']}", "", columns(head, rows)]
    lines += [f"{name} = {rough(value)}" for name, value in found["facts"].items()]
    return "\n".join(lines + [f"{one['name']}: {one['why']}" for one in found["missing"]])


def chip(rows: Sequence[Mapping[str, Any]]) -> str:
    """The whole chip."""
    head = ("threads", "ticks/s", "x real time", "Hz", "synaptic events/s", "MiB", "s to load")
    cells = [
        (str(row["threads"]), rough(row["ticks_per_second"]), rough(row["times_real_time"]), f"{row['rate']:.1f}",
         rough(row["synaptic_events"] * row["ticks_per_second"]), rough(row["peak_bytes"] / 2**20),
         f"{row['load_seconds']:.1f}") for row in rows
    ]  # fmt: skip
    first = rows[0]
    return f"W3: recurrent chip, {first['cores']:,} cores, {first['neurons']:,} neurons\n\n{columns(head, cells)}"


def start(rows: Sequence[Mapping[str, Any]]) -> str:
    """Imports and first frames."""
    return columns(
        ("a fresh Python", "s, CPU", "s, wall"),
        [(row["way"], f"{row['cpu_seconds']:.3f}", f"{row['seconds']:.3f}") for row in rows],
    )


def whole(document: Mapping[str, Any]) -> str:
    """Everything."""
    parts = [workload(found) for found in document["workloads"]]
    parts += [chip(document["chip"])] if document["chip"] else []
    parts += [start(document["start"])] if document["start"] else []
    parts += [
        f"gate: {one['name']} = {rough(one['found'])}, at least {one['floor']:g}: {'ok' if one['ok'] else 'TOO SLOW'}"
        for one in document["gate"]
    ]
    return "\n\n".join(parts)


def markdown(document: Mapping[str, Any]) -> str:
    """The README's table: how many times as fast as everybody the engine is on one thread."""
    found = document["workloads"]
    names = [one["name"].replace("W1 ", "W1, density ") for one in found]
    lines = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]

    def row(title: str, cells: Sequence[str]) -> None:
        if any(cells):
            lines.append(f"| {title} | " + " | ".join(cells) + " |")

    ours = [next((row for row in one["rows"] if row["way"] == "bitwise"), None) for one in found]
    row(
        "`bitwise`, one thread",
        [f"{rough(each['frames_per_second'])} {'ticks' if 'W3' in one['name'] else 'frames'}/s" if each else ""
         for one, each in zip(found, ours)],
    )  # fmt: skip
    facts = [one["facts"] for one in found]
    row("of one core's and + popcount roofline", [rough(f[FRACTION]) if FRACTION in f else "" for f in facts])
    row("two threads against one", [f"{f[SCALING]:.2f} x" if SCALING in f else "" for f in facts])
    row("one frame by itself", [f"{1e6 * f[LATENCY]:.3g} µs" if LATENCY in f else "" for f in facts])
    for way in COMPARED:
        against = [next((r["bitwise_times"] for r in one["rows"] if r["way"] == way), None) for one in found]
        row(f"times as fast as {way}", [f"{rough(times)} x" if times else "" for times in against])
    said = [
        f"W3 whole, {one['cores']:,} cores, {one['threads']} thread{'s' * (one['threads'] > 1)}: "
        f"{rough(one['ticks_per_second'])} ticks/s, {one['times_real_time']:.2f} times real time, "
        f"{one['synaptic_events'] * one['ticks_per_second'] / 1e9:.2f} billion synaptic events/s, "
        f"{one['peak_bytes'] / 2**20:.0f} MiB."
        for one in document["chip"]
    ]
    return "\n".join([*lines, *(["", *said] if said else []), "", f"{document['machine']}."])


FRACTION = "share of the and + popcount roofline"
SCALING = "two threads, x one (wall)"
LATENCY = "one frame by itself, s"


def write_into(path: Path, text: str) -> None:
    """Put a text between the two marks of a file; SystemExit where they are not there, once each and in order."""
    old = path.read_text(encoding="utf-8")
    if old.count(BEGIN) != 1 or old.count(END) != 1 or old.index(BEGIN) > old.index(END):
        raise SystemExit(
            f"{path} has no place for the table: it stands between a line {BEGIN} and a line {END}"
        )
    before, after = old.split(BEGIN)[0], old.split(END)[1]
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
