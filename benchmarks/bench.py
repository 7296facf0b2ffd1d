"""How fast the simulators are, beside everybody who can compute the same, in one interleaved run.

    python benchmarks/bench.py [--only W1 W2 W3 chip start] [--rounds N] [--sanafe PYTHON] [--cython] [--write-readme]

W1 is dense, 784-1024-1024-1024-10, mapped onto loihi-sim, at two densities; W2 is a small convolutional network; W3 is the
literature's recurrent chip, whole and as a cut of 64 cores. NumPy, torch, onnxruntime, Brian2 and Lava take turns with
the bit-packed engine in every round; who is not installed is named. Every answer of every turn is compared with the
reference's. Ratios are medians of the rounds' ratios, packing of bits and all counts included; see `rounds.py` for clocks.
A probe in the same rounds says what one core could do at most in and + popcount.

Everything goes to out/bench.json; the README's table is only written if asked for. The first run builds two Brian2
programs (about a minute); they are kept in out/. Exit code 1 where an answer differs, or where the engine falls
below a generous floor.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import start  # noqa: E402
import tables  # noqa: E402
import workloads  # noqa: E402
from rounds import Missing, Spent, Timed, Way  # noqa: E402
from workloads import ALONE, NUMPY, NUMPY_ALONE, ONE, PROBE, PROBE_TWO, TINY, TWO, Found, Scale  # noqa: E402

import spikebnn  # noqa: E402
from spikebnn.exchange.foreign import VARIABLE  # noqa: E402

PARTS = ("W1", "W2", "W3", "chip", "start")
# Shares of the and + popcount roofline below which something is broken: less than a third of what was measured (Zen 5).
FLOORS = {"W1 0.15": 0.25, "W1 0.5": 0.25, "W2": 0.1}


def main() -> int:
    """Measure, print, keep."""
    chosen = _arguments()
    scale = TINY if chosen.tiny else Scale(cython=chosen.cython, builds=not chosen.no_builds)
    scale = workloads.replace(scale, rounds=chosen.rounds or scale.rounds, kept=chosen.kept.resolve())
    began = time.perf_counter()

    def say(what: str) -> None:
        if not chosen.json and sys.stderr.isatty():
            sys.stderr.write(f"\r{time.perf_counter() - began:6.0f} s  {what:70}")

    found = []
    if "W1" in chosen.only:
        found += [workloads.w1(density, scale, say) for density in scale.densities]
        say("SANA-FE")
        found[0] = _with_sanafe(found[0], scale, chosen.sanafe)
    if "W2" in chosen.only:
        found.append(workloads.w2(0.15, scale, say))
    if "W3" in chosen.only:
        found.append(workloads.w3_cut(scale, say))
    document = {
        "schema": "spikebnn.bench/1",
        "machine": machine(),
        "spikebnn": spikebnn.__version__,
        "rounds": scale.rounds,
        "workloads": [written(one) for one in found],
        "chip": workloads.w3_chip(scale, say) if "chip" in chosen.only else [],
        "start": start.measure(scale.rounds) if "start" in chosen.only else [],
    }
    document["gate"] = [] if chosen.tiny else gate(document["workloads"])
    document["seconds"] = time.perf_counter() - began
    scale.kept.mkdir(exist_ok=True)
    (scale.kept / "bench.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    say("")
    sys.stdout.write(
        (json.dumps(document, indent=1) if chosen.json else "\n" + tables.whole(document)) + "\n"
    )
    if chosen.write_readme:
        tables.write_into(chosen.write_readme, tables.markdown(document))
    return 0 if all(one["ok"] for one in document["gate"]) else 1


def written(found: Found) -> dict[str, Any]:
    """A workload as plain data."""
    timed = found.timed
    one, base = timed.get(ONE), timed.get(NUMPY)
    facts = dict(found.facts)
    if one and PROBE in timed:
        facts[tables.FRACTION] = found.synapses * one.times(timed[PROBE])
    if one and TWO in timed:
        facts[tables.SCALING] = timed[TWO].times(one)
    if PROBE_TWO in timed:  # what the machine had to give in these rounds
        facts["the probe on two threads, x one (wall)"] = timed[PROBE_TWO].times(timed[PROBE])
    if ALONE in timed:
        facts[tables.LATENCY] = timed[ALONE].seconds()
        facts["one frame by itself, x NumPy float32 by itself"] = timed[ALONE].times(timed[NUMPY_ALONE])
    rows = [
        {
            "way": name,
            "package": each.way.package,
            "clock": each.way.clock,
            "frames": each.way.frames,
            "seconds": each.seconds(),
            "frames_per_second": 1 / each.seconds(),
            "synapses_per_second": (1 if name in (PROBE, PROBE_TWO) else found.synapses) / each.seconds(),
            "times_numpy": each.times(base) if base and name not in (PROBE, PROBE_TWO) else None,
            "bitwise_times": one.times(each) if one and name not in (ONE, PROBE, PROBE_TWO) else None,
            "turns": [[spent.cpu, spent.wall] for spent in each.turns],
        }
        for name, each in timed.items()
    ]
    return {
        "name": found.name,
        "about": found.about,
        "synapses": found.synapses,
        "rows": rows,
        "facts": facts,
        "missing": [{"name": each.name, "why": each.why} for each in found.missing],
    }


def gate(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The engine's share of the roofline against the floors; nothing where there is no probe."""
    shares = {one["name"]: one["facts"][tables.FRACTION] for one in found if tables.FRACTION in one["facts"]}
    return [
        {
            "name": f"{name}, {tables.FRACTION}",
            "found": shares[name],
            "floor": floor,
            "ok": shares[name] >= floor,
        }
        for name, floor in FLOORS.items()
        if name in shares
    ]


def machine() -> str:
    """The processor and how many of them, and versions."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), name)
        flags = next((line for line in lines if line.startswith("flags")), "")
        name += ", AVX-512" if "avx512f" in flags else ""
    except OSError:
        pass
    return f"{name}, {workloads.threads_here()} cores; Python {platform.python_version()}, NumPy {workloads.np.__version__}"


def _with_sanafe(found: Found, scale: Scale, python: str) -> Found:
    """SANA-FE once, behind the rounds: it loads for seconds and takes gigabytes."""
    if not python:
        why = f"no interpreter that has it is named: --sanafe PYTHON, or {VARIABLE}"
        return workloads.replace(found, missing=(*found.missing, Missing(name="SANA-FE", why=why)))
    import nets
    from sanafe_way import TARGET, seconds_a_frame

    density = scale.densities[0]
    program = spikebnn.map(nets.network(nets.dense(density, sizes=scale.sizes)), TARGET)
    frames = max(8, scale.slow // 4)
    x = nets.inputs(frames, density, (scale.sizes[0],))
    seconds, version = seconds_a_frame(program, x, scale.kept / "sanafe-bench", python)
    way = Way(
        name="SANA-FE", frames=frames, turn=lambda: (Spent(cpu=0, wall=0), x), clock="own", package=version
    )
    turns = [Spent(cpu=seconds, wall=seconds)] * scale.rounds
    return workloads.replace(found, timed={**found.timed, way.name: Timed(way=way, turns=turns)})


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="some parts")
    parser.add_argument("--rounds", type=int, help="rounds; medians are shown (default: 5)")
    parser.add_argument("--sanafe", metavar="PYTHON", default=os.environ.get(VARIABLE, ""),
                        help=f"an interpreter that has SANA-FE (default: ${VARIABLE}); takes 4 GB")  # fmt: skip
    parser.add_argument(
        "--cython", action="store_true", help="Brian2's Cython runtime, too; compiles for a minute"
    )
    parser.add_argument("--no-builds", action="store_true", help="leave out Brian2's cpp_standalone")
    parser.add_argument("--tiny", action="store_true", help="very small networks, to see that all agree")
    parser.add_argument(
        "--kept", type=Path, default=Path("out"), metavar="DIR", help="where to keep things (default: out)"
    )
    parser.add_argument("--write-readme", type=Path, nargs="?", const=Path("README.md"), metavar="FILE",
                        help="write the table between the marks of README.md, or of another file")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
