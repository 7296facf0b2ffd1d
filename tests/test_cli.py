"""The command line as a person uses it: every verb on a committed sensor net, text and JSON, files and exit codes."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import spikebnn
from spikebnn import data
from spikebnn.cli import VERBS, main

ROOT = Path(__file__).resolve().parent.parent
NET = str(ROOT / "examples" / "shuttle" / "net.pt")
TEST = ROOT / "examples" / "shuttle" / "test.npz"
TARGETS = ("loihi-sim", "truenorth-sim")


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """A folder with the first frames of the set and the net mapped on both chips."""
    folder = tmp_path_factory.mktemp("cli")
    frames = data.load(TEST, 200)
    data.save(folder / "x.npz", frames)
    for target in TARGETS:
        assert main(["map", NET, "--target", target, "-o", str(folder / f"{target}.sbnn"), "--quiet"]) == 0
    return folder


def told(capsys, *words, code=0):
    """Standard output of a command that must not complain."""
    assert main(list(map(str, words))) == code
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_map_says_what_it_made(capsys, tmp_path):
    out = told(capsys, "map", NET, "--target", "truenorth-sim", "-o", tmp_path / "a.sbnn")
    assert re.search(r"^target +truenorth-sim$", out, re.MULTILINE)
    assert re.search(r"^cores +\d+, \d\.\d\d times the least possible, \d+ by \w+", out, re.MULTILINE)


def test_map_writes_beside_nobody_and_names_the_program_after_the_network(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told(capsys, "map", NET, "--target", "loihi-sim")
    assert [path.name for path in tmp_path.iterdir()] == ["net.sbnn"]


def test_map_twice_gives_the_same_bytes(capsys, tmp_path):
    for name in ("a.sbnn", "b.sbnn"):
        told(capsys, "map", NET, "--target", "truenorth-sim", "-o", tmp_path / name)
    assert (tmp_path / "a.sbnn").read_bytes() == (tmp_path / "b.sbnn").read_bytes()


def test_json_of_map_agrees_with_the_program(capsys, tmp_path):
    facts = json.loads(told(capsys, "map", NET, "--target", "loihi-sim", "-o", tmp_path / "a.sbnn", "--json"))
    program = spikebnn.load(tmp_path / "a.sbnn")
    assert facts["cores"] == len(program.cores)
    assert facts["latency_ticks"] == program.latency
    assert facts["network"] == spikebnn.load_network(NET).digest


def test_an_output_never_replaces_an_input(capsys, tmp_path):
    net = tmp_path / "net.pt"
    shutil.copy(NET, net)
    before = net.read_bytes()
    assert main(["map", str(net), "--target", "loihi-sim", "-o", str(net)]) == 2
    assert "would replace the input file" in capsys.readouterr().err
    assert net.read_bytes() == before


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        (".", ". is a directory; -o names a file"),
        ("/dev/null", "/dev/null is a device, not a file, and would be replaced; -o names a file"),
        ("no/such/a.sbnn", "there is no directory {}/no/such to write a.sbnn into; make it first"),
    ],
)
def test_an_output_that_cannot_be_a_file_is_refused_before_any_work(capsys, tmp_path, monkeypatch, output, sentence):
    monkeypatch.chdir(tmp_path)
    assert main(["map", NET, "--target", "loihi-sim", "-o", output]) == 2
    assert capsys.readouterr().err == f"spikebnn: error: {sentence.format(os.path.realpath(tmp_path))}\n"
    assert Path("/dev/null").is_char_device()


def test_a_target_of_ones_own_goes_by_its_path(capsys, bench, tmp_path):
    own = tmp_path / "mine.toml"
    own.write_text('extends = "loihi-sim"\nname = "mine"\n')
    told(capsys, "map", NET, "--target", own, "-o", tmp_path / "a.sbnn")
    words = ["run", str(tmp_path / "a.sbnn"), "--data", str(bench / "x.npz")]
    assert main(words) == 2
    sentence = "the program was mapped for 'mine', a target file of your own; name it: --target mine.toml"
    assert capsys.readouterr().err == f"spikebnn: error: {sentence}\n"
    assert told(capsys, *words, "--target", own).splitlines()[1].startswith("mine, 200 frames")


def test_a_shipped_name_does_not_price_what_was_mapped_for_an_edited_copy(capsys, bench, tmp_path):
    shipped = spikebnn.load_target("truenorth-sim")
    own = tmp_path / "mine.toml"
    own.write_text(
        (ROOT / "mappings" / "targets" / "truenorth-sim.toml").read_text(encoding="utf-8") + "\n# mine\n",
        encoding="utf-8",
    )
    program = tmp_path / "a.sbnn"
    told(capsys, "map", NET, "--target", own, "-o", program)
    words = ["run", str(program), "--data", str(bench / "x.npz")]
    digests = f"sha256 {spikebnn.load_target(own).digest[:12]}..., and this one has {shipped.digest[:12]}..."
    head = f"spikebnn: error: the program was mapped for another file named truenorth-sim ({digests}); "
    assert main(words) == 2
    assert capsys.readouterr().err == f"{head}give the file it was mapped with: --target FILE\n"
    assert told(capsys, *words, "--target", own).splitlines()[1].startswith("truenorth-sim, 200 frames")
    scenario = tmp_path / "s.toml"
    scenario.write_text(f'[source]\nfile = "{TEST}"\nrate = 10.0\n[network]\nprogram = "a.sbnn"\n', encoding="utf-8")
    assert main(["stream", str(scenario), "--limit", "4"]) == 2
    remedy = "name the target file it was mapped with"
    assert capsys.readouterr().err == f"{head}{remedy}\n"


def test_what_does_not_fit_is_listed_whole_and_nothing_is_written(capsys, tmp_path):
    goal = tmp_path / "net.sbnn"
    goal.write_bytes(b"old")
    words = [NET, "--target", "tiny-test", "--split", "none"]
    assert main(["map", *words, "-o", str(goal)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("spikebnn: error: the network does not fit tiny-test: ")
    assert len(err.splitlines()) >= 2
    assert goal.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["net.sbnn"]
    assert main(["check", *words, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["fits"] is False
    assert len(found["violations"]) == len(err.splitlines()) - 1


def test_check_says_that_it_fits(capsys):
    assert told(capsys, "check", NET, "--target", "loihi-sim") == f"{NET} fits loihi-sim\n"


@pytest.mark.parametrize("target", TARGETS)
def test_verify_writes_a_certificate_of_equality(capsys, bench, tmp_path, target):
    words = (
        "verify",
        bench / f"{target}.sbnn",
        "--against",
        NET,
        "--data",
        bench / "x.npz",
        "-o",
        tmp_path / "cert.json",
    )
    text = told(capsys, *words)
    assert text.startswith("EQUAL: ")
    assert told(capsys, "report", tmp_path / "cert.json") == text
    certificate = json.loads((tmp_path / "cert.json").read_text())
    assert certificate["equal"] is True
    assert certificate["structure"] == "equal"
    assert {verdict["simulator"] for verdict in certificate["verdicts"]} >= {"reference", "bitwise"}
    assert all(verdict["differing_frames"] == 0 for verdict in certificate["verdicts"])
    assert (
        certificate["program"]
        == json.loads(told(capsys, "report", bench / f"{target}.sbnn", "--json"))["program"]
    )
    assert len(certificate["data"]) == len(certificate["network"]) == 64


def with_one_bit_turned(program, core, neuron):
    """The program with one synapse bit of one neuron turned, or its threshold raised where it has no synapse."""
    import dataclasses

    image = program.cores[core]
    plane = image.planes[0]
    bits = plane.bits.copy()
    bits[neuron, 0] ^= 1
    planes = (dataclasses.replace(plane, bits=bits), *image.planes[1:])
    cores = list(program.cores)
    cores[core] = dataclasses.replace(image, planes=planes)
    return dataclasses.replace(program, cores=tuple(cores))


def test_a_planted_bit_error_is_found_and_named(capsys, bench, tmp_path):
    from spikebnn import sbnn

    program = spikebnn.load(bench / "loihi-sim.sbnn")
    sbnn.save(with_one_bit_turned(program, 0, 0), tmp_path / "bad.sbnn")
    out = told(
        capsys,
        "verify",
        tmp_path / "bad.sbnn",
        "--against",
        NET,
        "--data",
        bench / "x.npz",
        "-o",
        tmp_path / "c.json",
        code=1,
    )
    assert out.startswith("NOT EQUAL: ")
    assert told(capsys, "report", tmp_path / "c.json") == out
    assert json.loads((tmp_path / "c.json").read_text())["equal"] is False


def test_run_report_and_compare_tell_one_story(capsys, bench, tmp_path):
    for target in TARGETS:
        words = (
            "run",
            bench / f"{target}.sbnn",
            "--data",
            bench / "x.npz",
            "--against",
            NET,
            "-o",
            tmp_path / f"{target}.json",
        )
        text = told(capsys, *words)
        assert "same class in 200 of 200 frames, every score the same number in 200" in text
        assert told(capsys, "report", tmp_path / f"{target}.json") == text
    files = [tmp_path / f"{target}.json" for target in TARGETS]
    assert "side by side" in told(capsys, "compare", *files)
    facts = json.loads(told(capsys, "compare", *files, "--json"))
    assert facts["scores"][0]["accuracy"] == facts["scores"][1]["accuracy"]
    assert "| --- |" in told(capsys, "compare", *files, "--format", "markdown")


def test_compare_gates_a_pipeline(capsys, bench, tmp_path):
    told(
        capsys,
        "run",
        bench / "loihi-sim.sbnn",
        "--data",
        bench / "x.npz",
        "-o",
        tmp_path / "a.json",
        "--quiet",
    )
    told(capsys, "compare", tmp_path / "a.json", tmp_path / "a.json", "--fail-if", "accuracy < base.accuracy")
    out = told(capsys, "compare", tmp_path / "a.json", "--fail-if", "accuracy >= 0", code=1)
    assert out.endswith("fails: accuracy >= 0 is true of a.json\n")


def test_the_simulators_of_run_agree(capsys, bench):
    answers = []
    for name in ("bitwise", "reference"):
        words = (
            "run",
            bench / "truenorth-sim.sbnn",
            "--data",
            bench / "x.npz",
            "--simulator",
            name,
            "--limit",
            "50",
            "--json",
        )
        score = json.loads(told(capsys, *words))
        answers.append(
            {
                key: score[key]
                for key in ("correct", "spikes", "synaptic_events", "axon_events", "frames", "hops")
            }
        )
    assert answers[0] == answers[1]


def test_data_of_the_wrong_shape_is_one_sentence(capsys, bench, tmp_path):
    np.savez(tmp_path / "bad.npz", x=np.zeros((4, 5), np.float32))
    assert main(["run", str(bench / "loihi-sim.sbnn"), "--data", str(tmp_path / "bad.npz")]) == 2
    err = capsys.readouterr().err
    assert re.match(r"^spikebnn: error: .*\(4, 5\).*\n$", err)


def test_a_program_is_not_verified_against_another_network(capsys, bench):
    other = str(ROOT / "examples" / "japanese_vowels" / "net.pt")
    assert (
        main(["verify", str(bench / "loihi-sim.sbnn"), "--against", other, "--data", str(bench / "x.npz")])
        == 2
    )
    assert "the program was mapped from another network file" in capsys.readouterr().err


def test_a_damaged_program_is_refused(capsys, bench, tmp_path):
    whole = (bench / "loihi-sim.sbnn").read_bytes()
    (tmp_path / "short.sbnn").write_bytes(whole[: len(whole) // 2])
    with zipfile.ZipFile(bench / "loihi-sim.sbnn") as archive:
        at = archive.getinfo(archive.namelist()[-1]).header_offset + 200
    (tmp_path / "turned.sbnn").write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    for name in ("short.sbnn", "turned.sbnn"):
        assert main(["run", str(tmp_path / name), "--data", str(bench / "x.npz")]) == 2
        assert name in capsys.readouterr().err


def test_stream_prints_decisions_and_a_summary(capsys):
    out = told(capsys, "stream", "shuttle", "--limit", "200")
    assert "decisions" in out
    facts = json.loads(told(capsys, "stream", "shuttle", "--limit", "200", "--json"))
    assert facts["windows"] == 200
    assert facts["energy"]["lo"] <= facts["energy"]["v"] <= facts["energy"]["hi"]


def test_targets_list_show_and_check(capsys):
    names = spikebnn.target_names()
    assert [line.split()[0] for line in told(capsys, "targets").splitlines()[1:]] == names
    assert {target["name"] for target in json.loads(told(capsys, "targets", "--json"))} == set(names)
    shown = told(capsys, "targets", "show", "truenorth-sim")
    assert "sources" in shown
    assert told(capsys, "targets", "check", *names).count(": fine (") == len(names)


def test_bench_sets_every_simulator_beside_the_matmul(capsys, bench):
    words = ("bench", bench / "loihi-sim.sbnn", "--data", bench / "x.npz", "--limit", "64", "--json")
    paces = {pace["name"]: pace for pace in json.loads(told(capsys, *words))["paces"]}
    assert set(paces) >= {"bitwise", "reference", "float32 matmul"}
    assert paces["float32 matmul"]["times_the_matmul"] == 1


def test_doctor_finds_this_machine_healthy(capsys):
    facts = json.loads(told(capsys, "doctor", "--json"))
    assert facts["healthy"] is True
    assert {probe["simulator"] for probe in facts["probes"]} >= {"bitwise", "reference"}
    assert "numpy" in told(capsys, "doctor")


def test_doctor_names_a_simulator_that_cannot_be_used_and_why(capsys, monkeypatch):
    from importlib.metadata import EntryPoint

    from spikebnn.simulate import registry

    far = EntryPoint(name="far", value="a_package_that_is_not_there:make", group=registry.GROUP)
    monkeypatch.setattr(registry, "SIMULATORS", {"reference": registry.SIMULATORS["reference"]})
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [far])
    text = told(capsys, "doctor")
    assert "  far       not here: the simulator far cannot be loaded: No module named 'a_package_that" in text
    assert "  reference 29 of 29 probes passed" in text


def test_doctor_fails_when_a_probe_does(capsys, monkeypatch):
    from spikebnn import doctor

    bad = doctor.Probe(simulator="bitwise", vector="ties", difference="tick 3, neuron 0: spike 0, wanted 1")
    monkeypatch.setattr(doctor, "_probes", lambda: [bad])
    assert "tick 3, neuron 0: spike 0, wanted 1" in told(capsys, "doctor", code=1)


def test_a_damaged_certificate_is_one_sentence(capsys, tmp_path):
    damaged = tmp_path / "c.json"
    damaged.write_text('{"schema": "spikebnn.certificate/1"}')
    assert main(["report", str(damaged)]) == 2
    said = "has a value that does not fit spikebnn.certificate/1: 'verdicts'; verify again"
    assert capsys.readouterr().err == f"spikebnn: error: {damaged} {said}\n"


@pytest.mark.parametrize("verb", ["map", "check"])
def test_help_of_a_mapping_shows_every_default(capsys, verb):
    out = " ".join(told(capsys, verb, "--help").split())
    for option, default in (
        ("--host", "none"),
        ("--input", "auto"),
        ("--levels", "refuse"),
        ("--ternary", "refuse"),
        ("--split", "auto"),
        ("--readout", "auto"),
        ("--place", "anneal"),
    ):
        assert re.search(rf"{option} {{[^}}]*}} ((?! --).)*\(default: {default}\)", out), option


def test_one_tick_is_singular_and_no_core_is_said():
    from spikebnn.cli.facts import text_of

    facts = {
        "layers": [], "auxiliary_neurons": 0, "target": "t", "cores": 0, "neurons": 0, "inputs": 0, "input_code": "host",
        "ticks_per_frame": 1, "latency_ticks": 1, "program": "d" * 64, "findings": [],
    }  # fmt: skip
    lines = text_of(facts).splitlines()
    assert "cores      0; nothing is left for the chip, the host computes every layer" in lines
    assert "time       a frame every tick, its answer after 1 tick" in lines
    assert "time       a frame every 25 ticks, its answer after 50 ticks" in text_of(
        facts | {"ticks_per_frame": 25, "latency_ticks": 50}
    )


def test_quiet_prints_nothing(capsys, bench):
    assert told(capsys, "run", bench / "loihi-sim.sbnn", "--data", bench / "x.npz", "--quiet") == ""


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_that_names_its_options(capsys, verb):
    out = told(capsys, verb, "--help")
    assert out.startswith(f"usage: spikebnn {verb}")
    assert "--json" in out


def test_the_version_is_printed(capsys):
    assert told(capsys, "--version") == f"spikebnn {spikebnn.__version__}\n"


def test_options_for_everywhere_may_stand_before_the_verb(capsys):
    assert told(capsys, "--json", "targets") == told(capsys, "targets", "--json")


def test_no_colour_reaches_a_file_or_a_pipe(bench):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "FORCE_COLOR": "1"}
    environment.pop("NO_COLOR", None)
    words = ["run", str(bench / "loihi-sim.sbnn"), "--data", str(bench / "x.npz")]
    done = subprocess.run(
        [sys.executable, "-m", "spikebnn", *words],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    assert "\x1b" not in done.stdout + done.stderr


def test_export_writes_what_map_reads(capsys, tmp_path):
    (tmp_path / "model.py").write_text(
        "import torch\n"
        "class Sign(torch.nn.Module):\n"
        "    def forward(self, x):\n        return torch.where(x >= 0, 1.0, -1.0)\n"
        "class Binary(torch.nn.Linear):\n"
        "    def forward(self, x):\n"
        "        return torch.nn.functional.linear(x, torch.where(self.weight >= 0, 1.0, -1.0), self.bias)\n"
        "def net():\n"
        "    return torch.nn.Sequential(Binary(12, 8), torch.nn.BatchNorm1d(8), Sign(), Binary(8, 3))\n"
    )
    source, goal = f"{tmp_path / 'model.py'}:net", tmp_path / "net.pt"
    words = ("export", source, "--input", "12", "--values", "-1,1", "-o", goal)
    assert main(list(map(str, words))) == 0
    out, err = capsys.readouterr()
    assert "operations" in out
    assert err == "spikebnn: note: no --weights given; these are the weights that net() makes\n"
    out = told(capsys, "map", goal, "--target", "loihi-sim", "-o", tmp_path / "net.sbnn")
    assert re.search(r"^target +loihi-sim$", out, re.MULTILINE)


CHATTY = """\
import torch
print("made at import")
class Net(torch.nn.Linear):
    def __init__(self):
        super().__init__(12, 3)
        print("made")
"""


def test_what_the_users_file_prints_stays_out_of_the_json(capsys, tmp_path):
    import torch

    (tmp_path / "model.py").write_text(CHATTY)
    torch.save(torch.nn.Linear(12, 3).state_dict(), tmp_path / "sd.pt")
    words = ["export", f"{tmp_path / 'model.py'}:Net", "--input", "12", "-o", str(tmp_path / "net.pt"), "--json"]
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["note"] == "no --weights given; these are the weights that Net() makes"
    assert err == "made at import\nmade\nspikebnn: note: no --weights given; these are the weights that Net() makes\n"
    assert main([*words, "--weights", str(tmp_path / "sd.pt")]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["note"] is None
    assert err == "made at import\nmade\n"


def test_a_wrong_input_shape_is_our_sentence_and_nothing_of_torchs_log(tmp_path):
    (tmp_path / "model.py").write_text(CHATTY.replace("print", "str"))
    words = ["export", f"{tmp_path / 'model.py'}:Net", "--input", "13", "-o", str(tmp_path / "net.pt")]
    done = command(*words)
    assert done.returncode == 2
    assert re.fullmatch(r"spikebnn: error: torch.export cannot trace Net: RuntimeError: [^\n]*\n", done.stderr)


def command(*words, shell="", **more):
    """A finished process of the command line; `shell` redirects its streams."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **more}
    line = shlex.join([sys.executable, "-m", "spikebnn", *map(str, words)])
    return subprocess.run(
        ["sh", "-c", f"{line} {shell}"], capture_output=True, text=True, env=environment, check=False
    )


@pytest.mark.parametrize("shell", [">&-", "2>&-", ">&- 2>&-"])
def test_a_closed_stream_stops_nothing(bench, shell):
    for words in (["targets"], ["run", bench / "loihi-sim.sbnn", "--data", bench / "x.npz"]):
        done = command(*words, shell=shell)
        assert (done.returncode, done.stderr) == (0, "")


def test_a_terminal_of_ascii_gets_a_question_mark_for_a_greek_letter(bench):
    done = command("run", bench / "loihi-sim.sbnn", "--data", bench / "x.npz", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "energy per frame at a tick of 1.00 ms: " in done.stdout
    assert " ?J (" in done.stdout


def test_map_says_what_packets_travel_assumed_or_measured(capsys, tmp_path):
    output = str(tmp_path / "net.sbnn")
    words = ("map", NET, "--target", "truenorth-sim", "-o", output)
    assert "           packets assumed: every neuron sends half of" in told(capsys, *words, "--place", "raster")
    text = told(capsys, *words, "--calibrate", str(TEST))
    assert re.search(r"traffic    [\d,]+ hops per frame \(anneal, \d+% below raster order\)", text)
    assert "           packets measured on 100 frames" in text
