"""Exchange with SANA-FE: what is written means the program, what is read back is compared, and a difference is named."""

from __future__ import annotations

import csv
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spikebnn
from spikebnn import data, exchange
from spikebnn.cli import main
from spikebnn.errors import InputError, SimulatorMissing
from spikebnn.exchange import foreign, tables
from spikebnn.exchange.limits import unrepresentable
from spikebnn.exchange.opinion import opinion
from spikebnn.exchange.slots import slots
from spikebnn.exchange.trace import follow
from spikebnn.simulate.conformance import read_program, vectors
from spikebnn.targets import load_target
from tests import sanafe_twin
from tests.strategies_energy import core, program

ROOT = Path(__file__).resolve().parent.parent
RECORDED = ROOT / "tests" / "recorded" / "sanafe"  # what SANA-FE 2.2.9 wrote on `small()`; `make_record` tells how
VOWELS = ROOT / "examples" / "japanese_vowels"


def small():
    """Two layers on four cores of three tiles, and a readout by membrane; inputs reach two tiles."""
    rng = np.random.default_rng(7)

    def layer(axons, neurons, leak, start):
        bits = rng.integers(0, 2, (neurons, axons))
        words = lambda rows: ["".join(map(str, row)) for row in rows.tolist()]  # noqa: E731
        planes = [{"start": 0, "scale": [1] * neurons, "bits": words(bits)}, {"start": 0, "scale": [-1] * neurons, "bits": words(1 - bits)}]
        return {"axons": axons, "planes": planes, "threshold": [1] * neurons, "leak": leak, "start": [start] * neurons}

    document = {
        "inputs": 6,
        "cores": [layer(6, 5, [1, -1, 0, 2, 0], 0), layer(6, 4, [0, 1, -2, 3], 0), layer(9, 5, [0, 1, -1, 2, -3], 1), layer(5, 3, [2, 0, -1], 2)],
        "lines": [[n, c, n, 0] for n in range(6) for c in (0, 1)],
        "routes": [*([0, n, 2, n, 1] for n in range(5)), *([1, n, 2, 5 + n, 1] for n in range(4)), *([2, n, 3, n, 1] for n in range(5))],
        "readout": "membrane", "outputs": [[k, 3, k] for k in range(3)], "base": [0, 0, 0],
    }  # fmt: skip
    made = read_program(document)
    places = [(0, 0), (5, 2), (5, 3), (2, 6)]
    return replace(made, cores=tuple(replace(c, x=x, y=y) for c, (x, y) in zip(made.cores, places)))


def bits(program, frames, seed=1):
    return np.random.default_rng(seed).integers(0, 2, (frames, program.inputs)).astype(np.uint8)


def written(tmp_path, program, target="tiny-list", frames=5):
    chip = load_target(target)
    return chip, exchange.write_files(program, chip, bits(program, frames), tmp_path)


def judged(tmp_path, program, target="tiny-list", frames=5):
    """An opinion by the twin of SANA-FE."""
    chip, trace = written(tmp_path, program, target, frames)
    sanafe_twin.write(tmp_path / "sanafe", tmp_path / "net.txt", tmp_path / "arch.yaml", len(trace.spikes))
    return exchange.read_result(program, chip, trace, tmp_path / "sanafe", "twin")


# ------------------------------------------------------------------------------------- what is written means the program


def test_the_files_say_the_program_step_by_step(tmp_path):
    found = judged(tmp_path, small(), "loihi-sim-sanafe2025")
    assert found.equal, found.text()
    assert found.inside
    assert found.joules == pytest.approx(found.ours.v, rel=0.01)
    kinds = {line.name: line.ours for line in found.lines}
    assert kinds["hops"] > 0
    assert "membranes read out, one by one" in kinds


@pytest.mark.parametrize("vector", [v for v in vectors() if not unrepresentable(v.program)], ids=lambda v: v.name)
def test_every_conformance_vector_that_can_be_written_is_the_same_in_its_files(tmp_path, vector):
    check_vector(tmp_path, vector, sanafe_twin.write)


def check_vector(folder, vector, simulate):
    from spikebnn.exchange.chip import architecture
    from spikebnn.exchange.net import network, neuron_names

    chip, made = load_target("tiny-list"), vector.program
    places = slots(made, chip)
    rest = np.zeros((-(len(vector.drive) + 1) % made.period, vector.drive.shape[1]), np.uint8)
    drive = np.concatenate([vector.drive, rest])
    trace = follow(made, chip, places, drive, len(vector.drive) // made.period)
    (folder / "arch.yaml").write_text(architecture(chip, places, bool((made.routes[:, 4] > 1).any())))
    (folder / "net.txt").write_text("".join(network(made, places, drive)))
    simulate(folder / "sanafe", folder / "net.txt", folder / "arch.yaml", len(trace.spikes))
    result = tables.read(folder / "sanafe", neuron_names(made, places), len(trace.spikes), trace.watched)
    found = opinion(made, chip, trace, result, "", "")
    assert found.equal, found.text()
    silent = len(vector.drive)
    assert np.array_equal(trace.spikes[1 : 1 + silent], vector.spikes)


@given(seed=st.integers(0, 10**6), frames=st.integers(1, 4), delay=st.integers(1, 6), data=st.data())
@settings(max_examples=25)
def test_random_programs_are_the_same_in_their_files(tmp_path_factory, seed, frames, delay, data):
    rng = np.random.default_rng(seed)
    axons, neurons = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))

    def plane(rows, columns):
        words = ["".join(map(str, row)) for row in rng.integers(0, 2, (rows, columns)).tolist()]
        return {"start": 0, "scale": rng.integers(-3, 4, rows).tolist(), "bits": words}

    document = {
        "inputs": axons,
        "cores": [
            {"axons": axons, "planes": [plane(neurons, axons)], "threshold": rng.integers(-3, 5, neurons).tolist(),
             "leak": rng.integers(-2, 3, neurons).tolist()},
            {"axons": neurons, "planes": [plane(2, neurons), plane(2, neurons)], "threshold": [1, 2],
             "reset": data.draw(st.sampled_from(["memoryless", "zero", "subtract", "none"])),
             "floor": data.draw(st.sampled_from([None, 0, -2])), "floor_mode": data.draw(st.sampled_from(["saturate", "clear"])),
             "start": delay},
        ],
        "lines": [[n, 0, n, int(rng.integers(0, 3))] for n in range(axons)],
        "routes": [[0, n, 1, n, delay] for n in range(neurons)],
        "outputs": [[0, 1, 0]],
    }  # fmt: skip
    found = judged(tmp_path_factory.mktemp("x"), read_program(document), frames=frames)
    assert found.equal, found.text()


def test_cores_larger_than_a_unit_are_cut_into_units(tmp_path):
    big = program((core(0, 0, 0, neurons=1500), core(0, 3, 2)), [(0, 1400, 1, 0, 1)])
    groups = slots(big, load_target("tiny-test")).groups
    assert [len(group.members) for group in groups if group.core == 0] == [1024, 476]
    assert len({(group.soma, group.dendrite) for group in groups if group.core == 0}) == 2


def test_the_prices_in_the_file_are_the_targets_own(tmp_path):
    chip, _ = written(tmp_path, small(), "loihi-sim-sanafe2025")
    _, prices, _ = sanafe_twin.read_arch(tmp_path / "arch.yaml")
    known = chip.energy
    assert prices["energy_process_spike"] == known["synaptic_event"].v
    assert prices["energy_access_neuron"] == known["neuron_idle"].v
    assert prices["energy_update_neuron"] == pytest.approx(known["neuron_active"].v - known["neuron_idle"].v)
    assert prices["energy_spike_out"] == known["spike"].v
    assert prices["energy_message_out"] == known["message"].v
    assert prices["energy_east_hop"] == known["hop_x"].v
    assert prices["energy_north_hop"] == known["hop_y"].v


def test_a_price_that_nobody_knows_is_named_and_energies_are_not_compared(tmp_path):
    found = judged(tmp_path, small(), "loihi2-sim")
    assert found.equal
    assert found.inside is None
    assert any(note.startswith("energies are not compared: loihi2-sim has no price for synaptic_event, ") for note in found.notes)
    assert "# spike: nobody has published it; 0 stands for unknown" in (tmp_path / "arch.yaml").read_text()


# --------------------------------------------------------------------------------------------- our traces, their headers


def test_our_traces_carry_their_headers_and_sum_to_the_run(tmp_path):
    made = small()
    _, trace = written(tmp_path, made, "loihi-sim-sanafe2025")
    rows = list(csv.DictReader((tmp_path / "perf.csv").read_text().splitlines()))
    assert list(rows[0]) == list(tables.PERF)
    assert [int(row["timestep"]) for row in rows] == list(range(1, len(trace.spikes) + 1))
    spikes = list(csv.DictReader((tmp_path / "spikes.csv").read_text().splitlines()))
    assert list(spikes[0]) == ["neuron", "timestep"]
    own = int(trace.steps.inputs_fired.sum())
    assert sum(int(row["fired"]) for row in rows) == len(spikes) + own
    assert (tmp_path / "potentials.csv").read_text().startswith("timestep,neuron ")


def test_what_falls_into_the_frames_windows_is_what_the_run_counts():
    made = small()
    chip, x = load_target("tiny-list"), bits(made, 6)
    trace = exchange.stream(made, chip, slots(made, chip), x)
    start = np.concatenate([part.start for part in made.cores])
    frame = np.arange(len(trace.spikes))[:, None] - 1 - start
    inside = np.where((frame >= 0) & (frame < 6), trace.spikes, 0).sum(axis=0)
    assert inside.tolist() == spikebnn.run(made, x).counts.neuron_spikes.tolist()


# -------------------------------------------------------------------------------------------------- a recorded result


def recorded(tmp_path):
    chip, trace = written(tmp_path, small(), "loihi-sim-sanafe2025")
    shutil.copytree(RECORDED, tmp_path / "sanafe")
    return chip, trace


def test_a_recorded_result_of_sanafe_is_equal_and_its_energy_inside(tmp_path):
    chip, trace = recorded(tmp_path)
    found = exchange.read_result(small(), chip, trace, tmp_path / "sanafe", "2.2.9")
    assert found.equal, found.text()
    assert found.inside
    assert "every count is the same in every step" in found.text()
    assert json.loads(json.dumps(found.to_json()))["schema"] == "spikebnn.opinion/1"


def test_the_twin_says_what_sanafe_said(tmp_path):
    _, trace = recorded(tmp_path)
    sanafe_twin.write(tmp_path / "twin", tmp_path / "net.txt", tmp_path / "arch.yaml", len(trace.spikes))
    both = [list(csv.DictReader((tmp_path / name / "perf.csv").read_text().splitlines())) for name in ("twin", "sanafe")]
    for mine, theirs in zip(*both, strict=True):
        assert {key: mine[key] for key in tables.COUNTS} == {key: theirs[key] for key in tables.COUNTS}
        assert float(mine["total_energy"]) == pytest.approx(float(theirs["total_energy"]), rel=1e-5)


def test_a_planted_difference_is_named_with_its_step(tmp_path):
    chip, trace = recorded(tmp_path)
    path = tmp_path / "sanafe" / "spikes.csv"
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head, *rows[1:]]) + "\n")
    found = exchange.read_result(small(), chip, trace, tmp_path / "sanafe")
    assert not found.equal
    assert "NOT EQUAL" in found.text()
    step = rows[0].split(",")[1]
    assert f"first difference in spikes, one by one: step {step}, value " in found.text()


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("perf.csv", lambda text: text.replace("packets", "parcels"), "perf.csv has no column packets; its header is "),
        ("perf.csv", lambda text: "\n".join(text.splitlines()[:-1]) + "\n", "perf.csv has 7 time steps, 8 were asked for; run SANA-FE for 8"),
        ("perf.csv", lambda text: text.rstrip() + ",1\n", "line 9 of "),
        ("perf.csv", lambda text: text.replace("\n2,", "\n2,x", 1), "the column fired of "),
        ("spikes.csv", lambda text: text + "99.0,1\n", "names a neuron '99.0' that the network file does not have"),
        ("spikes.csv", lambda text: text + "0.0,99\n", "has spikes outside of the time steps 1 to 8"),
        ("spikes.csv", lambda text: text + "0.0,x\n", "holds a time step that is no number"),
        ("spikes.csv", lambda text: "", "spikes.csv has no column neuron, timestep; its header is ''"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_a_sentence(tmp_path, name, change, sentence):
    chip, trace = recorded(tmp_path)
    path = tmp_path / "sanafe" / name
    path.write_text(change(path.read_text()))
    with pytest.raises(InputError) as caught:
        exchange.read_result(small(), chip, trace, tmp_path / "sanafe")
    assert sentence in str(caught.value)


def test_a_folder_without_a_result_is_refused_with_a_sentence(tmp_path):
    chip, trace = written(tmp_path, small())
    with pytest.raises(InputError, match=r"perf.csv cannot be read: No such file or directory; run SANA-FE with its traces on"):
        exchange.read_result(small(), chip, trace, tmp_path / "sanafe")


# ------------------------------------------------------------------------------------------- what cannot be represented


@pytest.mark.parametrize(
    ("vector", "reason"),
    [
        ("two-arrivals-count-once", "1 axons hear more than one source, and it would add up arrivals that are one event here"),
        ("delays-1-to-15", "a route takes 15 ticks, and its longest delay is 6"),
        ("delays-1-to-15", "14 routes reach a core that their neuron reaches already, and it sends one packet to a core"),
        ("floor-after-reset", "1 neurons keep state and do not rest while nothing arrives"),
    ],
)
def test_what_sanafe_cannot_represent_is_refused_by_name(vector, reason):
    made = next(v.program for v in vectors() if v.name == vector)
    assert reason in unrepresentable(made)
    with pytest.raises(InputError, match="SANA-FE cannot represent this program: "):
        exchange.check_representable(made)


def test_no_frame_is_no_trace(tmp_path):
    with pytest.raises(InputError, match="there is no frame to write; give data with at least one"):
        written(tmp_path, small(), frames=0)


# ------------------------------------------------------------------------------------------------------ the command line


@pytest.fixture(scope="module")
def vowels(tmp_path_factory):
    path = tmp_path_factory.mktemp("vowels") / "net.sbnn"
    spikebnn.map(VOWELS / "net.pt", "loihi-sim-sanafe2025").save(path)
    return path


def test_without_an_interpreter_the_files_are_written_and_nothing_is_said_to_have_run(tmp_path, vowels, capsys, monkeypatch):
    monkeypatch.delenv(foreign.VARIABLE, raising=False)
    words = ["exchange", str(vowels), "--data", str(VOWELS / "test.npz"), "--limit", "3", "-o", str(tmp_path / "out")]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "SANA-FE was NOT run" in said
    assert "sim -n -s -t simple" in said
    out = tmp_path / "out"
    steps = len((out / "perf.csv").read_text().splitlines()) - 1
    sanafe_twin.write(tmp_path / "there", out / "net.txt", out / "arch.yaml", steps)
    assert main([*words, "--result", str(tmp_path / "there")]) == 0
    assert "every count is the same in every step" in capsys.readouterr().out
    lines = (tmp_path / "there" / "perf.csv").read_text().splitlines()
    one = lines[2].split(",")
    lines[2] = ",".join([*one[:3], str(int(one[3]) + 1), *one[4:]])
    (tmp_path / "there" / "perf.csv").write_text("\n".join(lines) + "\n")
    assert main([*words, "--result", str(tmp_path / "there")]) == 1
    assert "first difference in packets: step 2" in capsys.readouterr().out


def test_an_interpreter_that_is_not_there_is_exit_code_3(tmp_path, vowels, capsys):
    words = ["exchange", str(vowels), "--data", str(VOWELS / "test.npz"), "-o", str(tmp_path)]
    assert main([*words, "--python", "/no/such/python"]) == 3
    assert "there is no interpreter /no/such/python; name one that has SANA-FE" in capsys.readouterr().err
    with pytest.raises(SimulatorMissing, match="no interpreter with SANA-FE is named; make one"):
        foreign.needed(None)


# -------------------------------------------------------------------------------------------------------- SANA-FE itself


@pytest.fixture(scope="module")
def sanafe():
    """The interpreter that has SANA-FE. A run without one tells so at its end, in capitals."""
    python = os.environ.get(foreign.VARIABLE)
    if not python:
        pytest.skip(f"NOT TESTED: SANA-FE itself; name an interpreter that has it: {foreign.VARIABLE}=PYTHON")
    foreign.version(python)
    return python


@pytest.mark.parametrize("target", ["loihi-sim-sanafe2025", "truenorth-sim"])
def test_sanafe_itself_counts_what_we_count(tmp_path, sanafe, target):
    chip = load_target(target)
    frames = data.load(VOWELS / "test.npz", 100)
    found = exchange.second_opinion(spikebnn.map(VOWELS / "net.pt", chip), chip, frames.x, tmp_path, sanafe)
    assert found.equal, found.text()
    assert found.inside, found.text()


def test_sanafe_itself_agrees_on_the_conformance_vectors(tmp_path, sanafe):
    for vector in vectors():
        if not unrepresentable(vector.program):
            check_vector(tmp_path, vector, lambda out, net, arch, steps: foreign.simulate(sanafe, arch, net, out, steps))


def test_sanafe_itself_says_what_was_recorded(tmp_path, sanafe):
    chip = load_target("loihi-sim-sanafe2025")
    found = exchange.second_opinion(small(), chip, bits(small(), 5), tmp_path, sanafe)
    assert found.equal
    for name in ("spikes.csv", "potentials.csv"):
        assert (tmp_path / "sanafe" / name).read_text() == (RECORDED / name).read_text(), name


def make_record(python: str) -> None:
    """Record anew, with an interpreter that has SANA-FE: python -c 'from tests.test_exchange import *; make_record(PYTHON)'."""
    import tempfile

    chip = load_target("loihi-sim-sanafe2025")
    with tempfile.TemporaryDirectory() as folder:
        print(exchange.second_opinion(small(), chip, bits(small(), 5), Path(folder), python).text())
        RECORDED.mkdir(parents=True, exist_ok=True)
        for name in ("spikes.csv", "potentials.csv", "perf.csv"):
            shutil.copy(Path(folder) / "sanafe" / name, RECORDED / name)
