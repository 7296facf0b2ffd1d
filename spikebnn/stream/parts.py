"""What a stream is made of before its first row: program and target, encoder and rate, and what frames are presented to."""

from __future__ import annotations

from spikebnn import sbnn
from spikebnn.encoders import Encoder, EventFrames
from spikebnn.encoders.registry import tables
from spikebnn.errors import InputError
from spikebnn.faults import Faults
from spikebnn.mapped_for import check_mapped_for, target_of
from spikebnn.program import Program
from spikebnn.simulate import registry
from spikebnn.simulate.kept import Kept
from spikebnn.stream.decide import Presents
from spikebnn.stream.pipeline import rate_of
from spikebnn.stream.plan import Scenario
from spikebnn.stream.sources import Source
from spikebnn.targets import load_target
from spikebnn.targets.target import Target


def mapped(plan: Scenario) -> tuple[Program, Target]:
    """The program and its target."""
    if plan.program:
        program = sbnn.load(plan.network)
        target = target_of(program, plan.target, "name it as the target:")
        check_mapped_for(program, target, "name the target file it was mapped with")
        return program, target
    import spikebnn  # the stream is a user of the public call

    assert plan.target is not None
    target = load_target(plan.target)
    return spikebnn.map(plan.network, target), target


def coding(plan: Scenario, source: Source) -> tuple[Encoder | None, float]:
    """The encoder, and rows per second of the source; a camera's events need event frames, one row a bin."""
    if not source.events:
        rate = rate_of(plan, source)
        encoder = tables(plan.encoder, rate) if plan.encoder else None
        stages = getattr(encoder, "stages", (encoder,))
        if isinstance(stages[0], EventFrames):
            raise InputError(
                f"event-frames takes the events of a camera, and {source.name} gives rows of {len(source.channels)} channels"
            )
        return encoder, rate
    if not plan.encoder or plan.encoder[0].get("name") != "event-frames":
        raise InputError(
            f"{source.name} holds events, so the first encoder must be event-frames, such as event-frames:bin=10ms"
        )
    wide, high = getattr(source, "frame", (0, 0))
    first = {"columns": wide, "rows": high, **plan.encoder[0]}
    whole = tables([first, *plan.encoder[1:]])
    frames = getattr(whole, "stages", (whole,))[0]
    assert isinstance(frames, EventFrames)
    rate = 1 / frames.bin
    return tables([first, *plan.encoder[1:]], rate), rate


def session(plan: Scenario, faults: Faults, program: Program, v_bits: int, keep: bool) -> tuple[Presents, str]:
    """What frames are presented to, and its name. Kept state and faults in the run have an engine of their own."""
    damaged, strike = faults.damaged(program), faults.strike(program, v_bits)
    if keep or strike is not None:
        return Kept(damaged, keep=keep, strike=strike, apart=True), "kept 1"
    chosen = registry.simulator(plan.simulator)
    return chosen.load(damaged), f"{chosen.name} {chosen.version}"
