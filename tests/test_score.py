"""Score: answers and events of a run, judged; as JSON and back."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikebnn.errors import InputError
from spikebnn.network import Network, Node
from spikebnn.program import AUXILIARY, SUBTRACT, ProgramLayer
from spikebnn.score import Score, score
from spikebnn.targets import load_target, target_names
from tests.strategies_energy import core, program, programs, run


def judged(target: str = "tiny-test", frames: int = 8, seed: int = 0, **more) -> Score:
    made = program((core(0, 0, 0), core(0, 3, 2)), [(0, 0, 1, 0, 1)], target=target)
    return score(run(made, frames, seed), made, load_target(target), **more)


def test_right_answers_are_counted() -> None:
    made = program((core(),))
    told = run(made, 10)
    labels = told.classes.copy()
    labels[:3] = (labels[:3] + 1) % 3
    assert score(told, made, load_target("tiny-test"), labels).correct == 7
    assert score(told, made, load_target("tiny-test"), labels).accuracy == 0.7


def test_without_labels_accuracy_is_unknown_and_not_zero() -> None:
    assert judged().accuracy is None
    assert json.loads(judged().to_json())["neurobench"]["ClassificationAccuracy"] is None


def test_agreement_counts_classes_and_equal_scores_apart() -> None:
    made = program((core(),))
    told = run(made, 10)
    reference = told.scores.copy()
    reference[0] += 1  # another number, the same class
    reference[1] = -reference[1] - 1
    agreement = score(told, made, load_target("tiny-test"), reference=reference).agreement
    assert agreement.scores == 8
    assert agreement.classes in (8, 9, 10)
    assert agreement.frames == 10


def test_agreement_with_classes_alone_says_nothing_about_scores() -> None:
    made = program((core(),))
    told = run(made, 4)
    agreement = score(told, made, load_target("tiny-test"), reference=told.classes).agreement
    assert (agreement.classes, agreement.scores) == (4, None)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"labels": [0, 1]}, "labels have shape (2,); there are 8 frames, so (8,) is wanted"),
        ({"labels": [1, 2, 3, 1, 2, 3, 1, 2]}, "labels go from 1 to 3, and the network has 3 classes, 0 to 2"),
        ({"labels": [-1] * 8}, "labels go from -1 to -1, and the network has 3 classes, 0 to 2"),
        ({"labels": [0, 0.5] * 4}, "label 1 is 0.5, which is no whole number, and the network has 3 classes, 0 to 2"),
        ({"labels": [0, np.nan] * 4}, "label 1 is nan, which is no whole number, and the network has 3 classes, 0 to 2"),
        ({"labels": [0, np.inf] * 4}, "labels go from 0 to inf, and the network has 3 classes, 0 to 2"),
        (
            {"labels": np.array(["0"] * 8)},
            "labels are of type <U1, the first '0', and the network has 3 classes, 0 to 2",
        ),
        ({"reference": np.zeros((3, 3))}, "the reference has 3 frames, the run 8"),
        ({"reference": np.zeros((8, 5))}, "the reference has 5 scores per frame, the run 3"),
        ({"tick_s": 0.0}, "a tick of 0 s was asked for; it must be longer than 0 s"),
        ({"tick_s": float("nan")}, "a tick of nan s was asked for; it must be longer than 0 s"),
    ],
)
def test_what_does_not_belong_to_the_run_is_refused(more: dict, said: str) -> None:
    with pytest.raises(InputError) as caught:
        judged(**more)
    assert str(caught.value) == said


def test_a_program_is_not_priced_on_a_chip_it_was_not_mapped_for() -> None:
    made = program((core(),), target="loihi-sim")
    with pytest.raises(
        InputError, match="mapped for target 'loihi-sim', which is built otherwise than 'truenorth-sim'"
    ):
        score(run(made, 2), made, load_target("truenorth-sim"))


def test_a_program_may_be_priced_by_another_preset_of_its_chip() -> None:
    made = program((core(),), target="loihi-sim")
    assert score(run(made, 2), made, load_target("loihi-sim-davies2018")).target == "loihi-sim-davies2018"


def test_a_program_is_not_priced_by_another_file_of_its_targets_name() -> None:
    tiny = load_target("tiny-test")
    made = program((core(),))
    own = dataclasses.replace(made, header={"target": {"name": "tiny-test", "digest": tiny.digest}})
    assert score(run(own, 2), own, tiny).target == "tiny-test"
    edited = dataclasses.replace(made, header={"target": {"name": "tiny-test", "digest": "5" * 64}})
    said = (
        "the program was mapped for another file named tiny-test (sha256 555555555555..., and this one has "
        f"{tiny.digest[:12]}...); give the file it was mapped with: --target FILE"
    )
    with pytest.raises(InputError) as caught:
        score(run(edited, 2), edited, tiny)
    assert str(caught.value) == said


def test_a_preset_prices_no_program_of_an_edited_target() -> None:
    header = {"target": {"name": "loihi-sim", "digest": "5" * 64}}
    made = dataclasses.replace(program((core(),), target="loihi-sim"), header=header)
    with pytest.raises(InputError, match="^the program was mapped for target 'loihi-sim', which is built otherwise"):
        score(run(made, 2), made, load_target("loihi-sim-davies2018"))


def test_counts_of_another_program_are_refused() -> None:
    one, two = program((core(),)), program((core(), core(0, 1, 0)))
    with pytest.raises(
        InputError, match=r"the run counted \(2, 1\) \(frames, cores\), the program has \(2, 2\)"
    ):
        score(run(one, 2), two, load_target("tiny-test"))


def test_layers_add_up_and_shared_cores_do_not_guess() -> None:
    layers = (
        ProgramLayer(name="a", role="whole", neurons=2),
        ProgramLayer(name="b", role="whole", neurons=4),
    )
    mixed = dataclasses.replace(core(0, 1, 0, neurons=4), layer=np.array([0, 0, 1, 1], np.int32))
    made = program((core(layer=1), mixed), layers=layers)
    out = score(run(made, 5), made, load_target("tiny-test"))
    assert sum(layer.spikes for layer in out.layers) == out.spikes
    assert sum(layer.updates for layer in out.layers) == out.updates
    assert [layer.cores for layer in out.layers] == [1, 2]
    assert all(layer.synaptic_events is None for layer in out.layers)


def test_a_layer_alone_on_its_cores_has_its_own_events() -> None:
    layers = (
        ProgramLayer(name="a", role="whole", neurons=2),
        ProgramLayer(name="b", role="whole", neurons=2),
    )
    made = program((core(layer=0), core(0, 1, 0, layer=1)), layers=layers)
    out = score(run(made, 5), made, load_target("tiny-test"))
    assert [layer.synaptic_events for layer in out.layers] == [c.synaptic_events for c in out.cores]


def test_a_hybrid_network_says_what_runs_on_the_host() -> None:
    made = program((core(),), encoder_kind="stem")
    out = score(run(made, 2), made, load_target("tiny-test"))
    assert [(layer.where, layer.role) for layer in out.layers] == [("host", "stem"), ("cores", "whole")]
    assert out.host == ("input: real-valued, computed on the host in NumPy; its energy is left out",)
    assert json.loads(out.to_json())["neurobench"]["SynapticOperations"]["Effective_MACs"] is None


def test_comparing_the_input_with_constants_on_the_host_makes_no_hybrid() -> None:
    made = program((core(),), encoder_kind="host")
    out = score(run(made, 2), made, load_target("tiny-test"))
    assert not out.hybrid
    assert out.host == ("input: the host compares the input with constants; its energy is left out",)


def test_a_subtracting_neuron_uses_as_many_neurons_as_its_chip_needs() -> None:
    soft = dataclasses.replace(core(neurons=3), reset=np.full(3, SUBTRACT, np.uint8))
    made = program((soft,), target="tiny-list")
    assert score(run(made, 2), made, load_target("tiny-list")).use["neurons"].used == 6


def test_multiply_accumulates_count_copies_once_and_partial_sums_together() -> None:
    layers = (
        ProgramLayer(name="a", role="whole", neurons=1),
        ProgramLayer(name="a.part", role="partial", neurons=1),
        ProgramLayer(name="a.sum", role="aggregate", neurons=1),
    )
    copies = dataclasses.replace(core(neurons=2, axons=5), unit=np.array([0, 0], np.int32))
    parts = dataclasses.replace(
        core(0, 1, 0, neurons=2, axons=3, layer=1), unit=np.full(2, AUXILIARY, np.int32)
    )
    made = program((copies, parts, core(0, 2, 0, layer=2)), layers=layers)
    assert score(run(made, 2), made, load_target("tiny-test")).macs == 5 + 2 * 3


def test_neurobench_fields_have_their_names_and_are_per_frame() -> None:
    out = judged(frames=10)
    bench = json.loads(out.to_json())["neurobench"]
    assert {"Footprint", "ConnectionSparsity", "ParameterCount", "ClassificationAccuracy", "ActivationSparsity",
            "ActivationSparsityByLayer", "SynapticOperations", "MembraneUpdates"} <= set(bench)  # fmt: skip
    assert set(bench["SynapticOperations"]) == {"Effective_MACs", "Effective_ACs", "Dense"}
    assert bench["SynapticOperations"]["Effective_ACs"] == out.synaptic_events / 10
    assert bench["SynapticOperations"]["Dense"] == 2 * 2 * 4
    assert bench["ActivationSparsity"] == 1 - out.spikes / (10 * 4)
    assert bench["ConnectionSparsity"] == 0


@pytest.mark.parametrize("name", target_names())
@settings(max_examples=10, deadline=None)
@given(data=st.data(), frames=st.integers(0, 4))
def test_a_score_survives_json(name: str, data: st.DataObject, frames: int) -> None:
    made = data.draw(programs(name))
    told = run(made, frames)
    out = score(told, made, load_target(name), labels=told.classes, reference=told.scores)
    assert Score.from_json(out.to_json()) == out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "a.json is no JSON: "),
        ("[]", "a.json is no score: its schema is None, 'spikebnn.score/2' is wanted"),
        ('{"schema": "spikebnn.score/3"}', "a.json is no score: its schema is 'spikebnn.score/3'"),
        ('{"schema": "spikebnn.score/2"}', "a.json lacks the key "),
    ],
)
def test_a_file_that_is_no_score_is_refused_with_a_sentence(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        Score.from_json(text, "a.json")
    assert str(caught.value).startswith(said)


def test_a_damaged_score_is_refused() -> None:
    data = json.loads(judged().to_json())
    data["energy"]["items"][0]["joules"] = {"lo": 3, "v": 2, "hi": 1}
    with pytest.raises(
        InputError, match=r"has a value that does not fit spikebnn.score/2: no interval: 3, 2, 1"
    ):
        Score.from_json(json.dumps(data))


def test_json_holds_no_number_that_json_does_not_know() -> None:
    assert "NaN" not in judged(frames=0).to_json()
    assert "Infinity" not in judged(frames=0).to_json()


def test_a_readout_that_the_host_counts_is_said_to_be_on_the_host() -> None:
    layers = (
        ProgramLayer(name="a", role="whole", neurons=2),
        ProgramLayer(name="out", role="readout", neurons=2),
    )
    made = program((core(),), layers=layers)
    out = score(run(made, 2), made, load_target("tiny-test"))
    assert [layer.where for layer in out.layers] == ["cores", "host"]
    assert out.host == ("out: its sums are spikes that the host counts",)
    assert not out.hybrid


@pytest.mark.parametrize(("op", "role"), [("aten.linear.default", "head"), ("aten.mul.Tensor", "tail")])
def test_real_valued_layers_after_the_readout_make_a_hybrid(op: str, role: str) -> None:
    tail = Network(
        nodes=(Node(op=op, args=(), outs=("y",)),), tensors={}, inputs=("x",), outputs=("y",), shapes={}
    )
    made = program((core(),))
    made = dataclasses.replace(made, decoder=dataclasses.replace(made.decoder, tail=tail))
    out = score(run(made, 2), made, load_target("tiny-test"))
    assert out.layers[-1].role == role
    assert out.hybrid == (role == "head")


def test_list_memory_is_counted_in_whole_words() -> None:
    made = program((core(neurons=20, axons=3),), target="tiny-list")
    use = score(run(made, 2), made, load_target("tiny-list")).use["synapse bits"]
    # 20 dense weights of 2 bits on each axon: one block of 11 (32 bits) and one of 9 (28, so 32)
    assert (use.used, use.available) == (3 * 64, 16384)
