"""The whole corridor on real data: one trained net, two chips, every test frame, two simulators, one comparison.

    python examples/demo.py [OUT]            (make demo)

Takes Fashion-MNIST where Debian's package dataset-fashion-mnist is installed, else a sensor set from this folder.
Writes programs, certificates and scores to OUT (default: out/demo). Exit code 1 if a single frame differs.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import spikebnn
from spikebnn import data, sbnn

HERE = Path(__file__).resolve().parent
TARGETS = ("loihi-sim", "truenorth-sim")
SIMULATORS = ("reference", "bitwise")


def choose() -> tuple[str, Path, data.Frames]:
    """Title, network and test frames."""
    if data.FASHION_MNIST.is_dir():
        return "Fashion-MNIST", HERE / "fashion_mnist" / "net.pt", data.fashion_mnist("test")
    print("Fashion-MNIST is not installed here; taking Japanese Vowels, a sensor set that comes along.\n")
    return (
        "Japanese Vowels",
        HERE / "japanese_vowels" / "net.pt",
        data.load(HERE / "japanese_vowels" / "test.npz"),
    )


def since(clock: float) -> str:
    """The seconds since then."""
    return f"{time.perf_counter() - clock:6.1f} s"


def main(out: Path) -> int:
    """Map, verify, run, score and compare."""
    began = time.perf_counter()
    out.mkdir(parents=True, exist_ok=True)
    title, net, frames = choose()
    print(
        f"{title}: {len(frames.x):,} test frames of shape {frames.x.shape[1:]}; the net is {net.relative_to(HERE.parent)}"
    )
    equal, scores = True, []
    for name in TARGETS:
        target = spikebnn.load_target(name)
        print(f"\n{target.title}")
        clock = time.perf_counter()
        program = spikebnn.map(net, target)
        sbnn.save(program, out / f"{name}.sbnn")
        print(
            f"  mapped     {since(clock)}  {len(program.cores)} cores, a frame every "
            f"{program.period} ticks, its answer after {program.latency} ticks"
        )
        clock = time.perf_counter()
        certificate = spikebnn.verify(program, net, frames.x, frames.y, simulators=SIMULATORS)
        (out / f"{name}.certificate.json").write_text(json.dumps(certificate.to_json(), indent=2) + "\n")
        print(f"  verified   {since(clock)}  against {certificate.oracle}; structure {certificate.structure}")
        equal &= certificate.equal
        print(f"               original   accuracy {certificate.accuracy['original']:.4f}")
        for verdict in certificate.verdicts:
            print(
                f"               {verdict.simulator:<10} accuracy {certificate.accuracy[verdict.simulator]:.4f}, "
                f"differing frames {verdict.differing_frames} of {verdict.frames:,}, "
                f"differing spikes {verdict.differing_spikes} of {verdict.spikes_compared:,}"
            )
        if not certificate.equal:
            print(f"               NOT EQUAL: {certificate.reason()}")
        clock = time.perf_counter()
        run = spikebnn.run(program, frames.x)
        score = spikebnn.score(run, program, target, frames.y)
        (out / f"{name}.score.json").write_text(score.to_json())
        scores.append(score)
        print(f"  scored     {since(clock)}  the bitwise simulator took {run.seconds:.2f} s of it")
    print()
    print(spikebnn.compare(*scores))
    print(
        f"{'Equal' if equal else 'NOT EQUAL'}; programs, certificates and scores are in {out};{since(began)} in all."
    )
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "out/demo")))
