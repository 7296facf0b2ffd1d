"""The whole corridor on real data: one trained net, two chips, every test frame, two simulators, one comparison.

    python examples/demo.py [OUT]            (make demo)

Takes Fashion-MNIST where Debian's package dataset-fashion-mnist is installed, else a sensor set from this folder.
Writes programs, certificates, scores and pages for a browser to OUT (default: out/demo). Exit code 1 if a single
frame differs.
The chips are worked on side by side, one process each.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import spikebnn
from spikebnn import data, page, sbnn
from spikebnn.detail import detail
from spikebnn.score import Score
from spikebnn.units import pace, ticks

HERE = Path(__file__).resolve().parent
TARGETS = ("loihi-sim", "truenorth-sim")
SIMULATORS = ("reference", "bitwise")


def choose() -> tuple[str, Path, data.Frames]:
    """Title, network and test frames."""
    if data.FASHION_MNIST.is_dir():
        return "Fashion-MNIST", HERE / "fashion_mnist" / "net.pt", data.fashion_mnist("test")
    return (
        "Japanese Vowels",
        HERE / "japanese_vowels" / "net.pt",
        data.load(HERE / "japanese_vowels" / "test.npz"),
    )


def corridor(name: str, out: Path) -> tuple[bool, Score, str]:
    """Map, verify, run and score on one target: equal or not, the score, and what to print."""
    title, net, frames = choose()
    target = spikebnn.load_target(name)
    clock = time.perf_counter()
    program = spikebnn.map(net, target)
    sbnn.save(program, out / f"{name}.sbnn")
    lines = [
        target.title,
        f"  mapped     {since(clock)}  {len(program.cores)} cores, {pace(program.period)}, "
        f"its answer after {ticks(program.latency)}",
    ]
    clock = time.perf_counter()
    certificate = spikebnn.verify(program, net, frames.x, frames.y, simulators=SIMULATORS)
    (out / f"{name}.certificate.json").write_text(json.dumps(certificate.to_json(), indent=2) + "\n")
    lines += [
        f"  verified   {since(clock)}  against {certificate.oracle}; structure {certificate.structure}",
        f"               original   accuracy {certificate.accuracy['original']:.4f}",
    ]
    lines += [
        f"               {verdict.simulator:<10} accuracy {certificate.accuracy[verdict.simulator]:.4f}, "
        f"differing frames {verdict.differing_frames} of {verdict.frames:,}, "
        f"differing spikes {verdict.differing_spikes} of {verdict.spikes_compared:,}"
        for verdict in certificate.verdicts
    ]
    if not certificate.equal:
        lines.append(f"  NOT EQUAL: {certificate.reason()}")
    clock = time.perf_counter()
    run = spikebnn.run(program, frames.x)
    score = spikebnn.score(run, program, target, frames.y, spikebnn.original(net, frames.x))
    (out / f"{name}.score.json").write_text(score.to_json())
    closer = detail(run, program, target, frames.x, frames.y)
    (out / f"{name}.html").write_text(page.html(score, closer, f"{title} on {name}"), encoding="utf-8")
    lines.append(f"  scored     {since(clock)}  the bitwise simulator took {run.seconds:.2f} s of it\n")
    return certificate.equal, score, "\n".join(lines)


def since(clock: float) -> str:
    """The seconds since then."""
    return f"{time.perf_counter() - clock:6.1f} s"


def main(out: Path) -> int:
    """Both chips, and then side by side."""
    began = time.perf_counter()
    out.mkdir(parents=True, exist_ok=True)
    title, net, frames = choose()
    if title != "Fashion-MNIST":
        print("Fashion-MNIST is not installed here; taking Japanese Vowels, a sensor set that comes along.")
    shape = "x".join(map(str, frames.x.shape[1:]))
    print(f"{title}: {len(frames.x):,} test frames of {shape}, {net.relative_to(HERE.parent)}\n", flush=True)
    equal, scores = True, []
    with ProcessPoolExecutor(len(TARGETS), mp_context=get_context("spawn")) as pool:
        for same, score, text in pool.map(corridor, TARGETS, [out] * len(TARGETS)):
            print(text, flush=True)
            equal &= same
            scores.append(score)
    print(spikebnn.compare(*scores))
    said = "Every frame is equal" if equal else "NOT EQUAL"
    print(f"{said}. Programs, certificates, scores and pages are in {out}; {since(began).strip()} in all.")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "out/demo")))
