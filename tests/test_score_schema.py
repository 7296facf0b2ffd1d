"""The JSON schema that ships with spikebnn: every file that is written follows it, and older files stay readable."""

from __future__ import annotations

import copy
import json

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikebnn.score import Score, score
from spikebnn.score.file import READ, SCHEMA
from spikebnn.shelf import shelf
from spikebnn.targets import load_target, target_names
from tests.strategies_energy import core, program, programs, run

TEXT = (shelf("mappings") / "schema" / "score.schema.json").read_text(encoding="utf-8")
VALID = jsonschema.Draft202012Validator(json.loads(TEXT))


def judged(target: str = "tiny-test", **more) -> Score:
    made = program((core(0, 0, 0), core(0, 3, 2)), [(0, 0, 1, 0, 1)], target=target)
    told = run(made, 8)
    return score(told, made, load_target(target), labels=told.classes, reference=told.scores, **more)


def test_the_schema_is_one_and_carries_the_version_that_is_written() -> None:
    VALID.check_schema(VALID.schema)
    assert VALID.schema["$id"] == VALID.schema["properties"]["schema"]["const"] == SCHEMA


@pytest.mark.parametrize("name", target_names())
@settings(max_examples=5, deadline=None)
@given(data=st.data(), frames=st.integers(0, 3), labelled=st.booleans())
def test_every_written_score_follows_the_schema(
    name: str, data: st.DataObject, frames: int, labelled: bool
) -> None:
    made = data.draw(programs(name))
    told = run(made, frames)
    out = score(told, made, load_target(name), labels=told.classes if labelled else None)
    VALID.validate(json.loads(out.to_json()))


def test_a_score_at_a_rate_follows_the_schema_and_is_read_back() -> None:
    out = judged(rate=30.0)
    data = json.loads(out.to_json())
    VALID.validate(data)
    assert data["at_rate"]["rate"] == 30
    assert Score.from_json(out.to_json()) == out


def test_a_key_of_the_wrong_kind_does_not_follow_the_schema() -> None:
    data = json.loads(judged().to_json())
    for path, wrong in (
        (("frames",), -1),
        (("energy", "items", 0, "joules"), {"lo": 1}),
        (("cores", 0, "x"), "1"),
    ):
        broken = copy.deepcopy(data)
        part = broken
        for key in path[:-1]:
            part = part[key]
        part[path[-1]] = wrong
        assert not VALID.is_valid(broken), path
    assert not VALID.is_valid({**data, "surprise": 1})


def first_version(out: Score) -> str:
    """The same score as the first version of the format wrote it."""
    data = json.loads(out.to_json())
    data["schema"] = "spikebnn.score/1"
    for key in ("active_updates", "rate", "at_rate"):
        del data[key]
    for key in ("sensitivity", "interval", "lacks", "fastest_per_frame"):
        del data["energy"][key]
    for item in data["energy"]["items"]:
        del item["shares"]
    for key in ("latency_fastest", "frames_per_s_fastest"):
        del data["timing"][key]
    del data["neurobench"]["NeuronOperations"]
    return json.dumps(data)


@pytest.mark.parametrize("name", ["tiny-test", "loihi-sim", "truenorth-sim"])
def test_a_file_of_the_first_version_stays_readable(name: str) -> None:
    assert READ == ("spikebnn.score/1", SCHEMA)
    new = judged(name)
    old = Score.from_json(first_version(new))
    assert old.active_updates is None
    assert old.rate is None
    assert old.energy.total == new.energy.total
    assert [item.joules for item in old.energy.items] == [item.joules for item in new.energy.items]
    assert old.layers == new.layers
    VALID.validate(json.loads(old.to_json()))


def test_neurobench_names_stand_in_the_schema() -> None:
    names = VALID.schema["properties"]["neurobench"]["properties"]
    assert {"Footprint", "ConnectionSparsity", "ParameterCount", "ClassificationAccuracy", "ActivationSparsity",
            "SynapticOperations", "MembraneUpdates", "NeuronOperations"} <= set(names)  # fmt: skip
    assert set(names["SynapticOperations"]["properties"]) == {"Effective_MACs", "Effective_ACs", "Dense"}
