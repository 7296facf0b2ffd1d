"""The benchmarks run on very small networks, in which everybody agrees; their tables and their gate say what they found."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
HOME = {**os.environ, "PYTHONPATH": str(ROOT), "SPIKEBNN_SANAFE_PYTHON": ""}  # it takes gigabytes


def run(script: str, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", str(ROOT / "benchmarks" / script), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=HOME, check=False)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A tiny run, as the command prints and keeps it."""
    kept = tmp_path_factory.mktemp("kept")
    done = run("bench.py", "--tiny", "--only", "W1", "W2", "W3", "--kept", kept, "--json")
    assert done.returncode == 0, done.stderr[-2000:]
    document = json.loads(done.stdout)
    assert document == json.loads((kept / "bench.json").read_text())
    return document


def ways(document, name: str) -> set[str]:
    workload = next(one for one in document["workloads"] if one["name"] == name)
    return {row["way"] for row in workload["rows"]} | {one["name"] for one in workload["missing"]}


def test_every_way_answers_as_the_reference_or_is_named_as_missing(found) -> None:
    """An answer that differs ends the run, so that who is here has agreed."""
    ours = {"reference", "bitwise", "bitwise, 2 threads", "bitwise, NumPy alone", "probe"}
    peers = {"NumPy float32", "torch float32", "onnxruntime int8"}
    assert ways(found, "W1 0.15") >= ours | peers | {"torch int8", "Brian2 numpy"}
    assert ways(found, "W1 0.15") & {"Lava", "Lava Dense and LIF"}
    assert ways(found, "W2") >= peers | {"bitwise", "probe"}
    assert ways(found, "W3, 2 cores") >= {"reference", "bitwise"}


def test_no_one_is_missing_where_all_is_installed(found) -> None:
    wanted = {"torch", "onnxruntime", "brian2", "lava", "numba"}
    here = {name for name in wanted if importlib.util.find_spec(name)}
    told = [one["why"] for workload in found["workloads"] for one in workload["missing"]]
    assert "no interpreter that has it is named: --sanafe PYTHON, or SPIKEBNN_SANAFE_PYTHON" in told
    gone = {why.removeprefix("not installed: ").removesuffix("-nc") for why in told}
    assert not here & gone


def test_a_way_that_is_not_exact_ends_the_run(benchmarks) -> None:
    rounds, right = benchmarks("rounds"), np.arange(12).reshape(6, 2)
    wrong = right.copy()
    wrong[4, 1] += 1
    way = rounds.Way(name="bent", frames=6, turn=rounds.call(lambda: wrong))
    with pytest.raises(SystemExit, match="bent is not exact: 1 of 6 answers differ"):
        rounds.interleave([way], 1, right, settle=0)


def test_a_ratio_is_the_median_of_the_rounds_by_a_clock_that_both_go_by(benchmarks) -> None:
    rounds = benchmarks("rounds")

    def timed(clock, *turns):
        way = rounds.Way(name=clock, frames=1, turn=lambda: None, clock=clock)
        return rounds.Timed(way=way, turns=[rounds.Spent(cpu=cpu, wall=wall) for cpu, wall in turns])

    ours, plain = timed("CPU", (1, 2), (1, 4), (1, 100)), timed("CPU", (10, 9), (20, 9), (1000, 9))
    assert ours.times(plain) == 20
    assert ours.times(timed("wall", (0, 8), (0, 8), (0, 8))) == 2
    assert ours.seconds() == 1


def test_an_engine_below_its_floor_closes_the_gate(benchmarks) -> None:
    bench, tables = benchmarks("bench"), benchmarks("tables")
    slow, quick = ({"name": "W1 0.15", "facts": {tables.FRACTION: share}} for share in (0.01, 2.0))
    assert [one["ok"] for one in bench.gate([slow])] == [False]
    assert [one["ok"] for one in bench.gate([quick])] == [True]
    assert bench.gate([{"name": "W1 0.15", "facts": {}}]) == []


def test_the_readme_gets_the_table_between_its_marks_and_nothing_else(benchmarks, found, tmp_path) -> None:
    tables = benchmarks("tables")
    text = tables.markdown(found)
    assert text.splitlines()[0] == "| | W1, density 0.15 | W2 | W3, 2 cores |"
    assert "| times as fast as torch float32 |" in text
    page = tmp_path / "README.md"
    page.write_text(f"before\n{tables.BEGIN}\nold\n{tables.END}\nafter\n")
    tables.write_into(page, text)
    assert page.read_text() == f"before\n{tables.BEGIN}\n{text}\n{tables.END}\nafter\n"
    page.write_text("nothing")
    with pytest.raises(SystemExit, match="has no place for the table"):
        tables.write_into(page, text)
    assert page.read_text() == "nothing"


def test_the_probe_counts_every_bit(benchmarks) -> None:
    probe = benchmarks("probe")
    assert probe.compiled()(9, probe.seeds()) == probe.expected(9)


def test_growth_is_fitted_for_every_sweep() -> None:
    done = run("growth.py", "--tiny", "--rounds", "1", "--json")
    assert done.returncode == 0, done.stderr[-2000:]
    shown = json.loads(done.stdout)
    assert list(shown) == ["frames", "neurons", "synapses", "density", "cores", "rate"]
    assert all(row["seconds"] > 0 for one in shown.values() for row in one["rows"])
    sizes = [row["size"] for row in shown["rate"]["rows"]]
    assert sizes == sorted(sizes)  # thresholds that are higher make fewer spikes


def test_an_exponent_is_the_slope_of_the_logarithms(benchmarks) -> None:
    growth = benchmarks("growth")
    rows = [{"size": n, "seconds": 3 * n**1.5} for n in (1, 10, 100)]
    assert growth.exponent(rows) == pytest.approx(1.5)
    assert growth.table({"cores": rows}).splitlines()[1].count("1.50") == 2


@pytest.fixture(scope="module")
def benchmarks():
    """A function that imports a benchmark by its name."""
    before, known, said = list(sys.path), set(sys.modules), dict(os.environ)
    sys.path.insert(0, str(ROOT / "benchmarks"))
    yield importlib.import_module
    sys.path[:] = before
    os.environ.clear()
    os.environ.update(said)
    for name in set(sys.modules) - known:
        if getattr(sys.modules[name], "__file__", None) and "/benchmarks/" in str(sys.modules[name].__file__):
            del sys.modules[name]
