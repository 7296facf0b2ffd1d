"""`MappedNet`: a mapped network as one object in a user's own Brian2 network."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import brian2 as b2
import numpy as np
from brian2.units.fundamentalunits import fail_for_dimension_mismatch

from spikebnn.arrays import F64, I64, Array
from spikebnn.brian2 import build, order
from spikebnn.brian2.arrange import arrange
from spikebnn.brian2.decide import decision
from spikebnn.brian2.guard import check_run, check_source, check_ticks
from spikebnn.brian2.links import links
from spikebnn.brian2.read import played, sums
from spikebnn.encode import decode, encode
from spikebnn.errors import InputError
from spikebnn.program import Program
from spikebnn.sbnn import load
from spikebnn.simulate.wiring import last_tick

PLAYED = ("_neuron_index", "_spike_time")  # what a SpikeGeneratorGroup keeps beside its stored variables


class MappedNet(b2.BrianObject):  # type: ignore[misc]
    """A mapped network inside a user's Brian2 network: spikes in, spikes out, exact integers between.

    >>> bnn = MappedNet("net.sbnn", source=retina, name="bnn")        # a Program, or its file
    >>> run(1*second)                                                 # or Network(retina, bnn, ...).run(1*second)

    `source` is a group that spikes (one neuron for each input bit, or `index`: the source neuron of each bit), a
    2-D TimedArray of 0 and 1 (ticks, input bits), frames of data, or None: then frames come by `present`.

    Time. Tick k is at k*dt; `dt` is the network's own, 1 ms, and has nothing to do with defaultclock. What the source
    fires in tick k is an active line in tick k. From a finer clock, all spikes after tick k-1 up to and with tick k
    are heard in tick k, several of one neuron as one; another MappedNet is heard one tick later. Frame f is what
    the lines do from `start` + f*`period` on, a neuron d layers deep fires d ticks later, and the sums are complete
    `latency` after the frame began. Until `start` everything is at rest.

    Parts are Brian2's own, with readable names: `inputs` and `controls` (spikes of lines), `neurons` (`v` is the
    membrane; of a memoryless neuron its integer sum, until the next tick), `synapses`, `input_synapses`,
    `control_synapses` (`w`, `delay`), `number_synapses` of the neurons `spelling`, which fire the bits of numbers that
    spikes carry, `axons` where several sources share one, `layer["fc1"]` and `output` (Subgroups in the network's own
    order), `readout` (the monitor that `sums`, `scores` and `classes` read), and with decide=True `decision`, where the
    winner of each frame spikes. Connect, record and plot them as you like.

    No schedule of yours changes a spike. Exact with the code targets numpy and cython and the device cpp_standalone.
    """

    add_to_magic_network = True
    _REFUSED = "none"  # the network of a part of a MappedNet that was never made

    def __init__(
        self,
        program: Program | str | os.PathLike[str],
        source: Any = None,
        *,
        index: Any = None,
        dt: Any = None,
        start: Any = 0 * b2.ms,
        record: bool = True,
        decide: bool = False,
        name: str = "spikebnn*",
    ) -> None:
        program = program if isinstance(program, Program) else load(program)
        b2.BrianObject.__init__(self, dt=1 * b2.ms if dt is None else dt, when=order.SLOT, name=name)
        self.program = program
        self.tick_seconds = float(self.clock.dt_)
        self.first_tick = self._tick(start, "start")
        self.source: Any = None
        self._shown: tuple[int, int] | None = None  # first frame, and number of frames, presented last
        self._joined: int | None = None  # the tick in which its first run began
        self._ended: int | None = None  # one past the last tick that was run
        self._maker = build.Maker(self.name, self.clock, self.first_tick)
        try:
            self._make(source, index, record, decide)
        except BaseException:  # Brian2 warns of every object that goes without having been in a network
            for part in (self, *self._maker.made):
                part._network = self._REFUSED  # noqa: SLF001
            raise

    def _make(self, source: Any, index: Any, record: bool, decide: bool) -> None:
        """Make all parts."""
        self._arranged, of = arrange(self.program), links(self.program)
        maker = self._maker
        place, count = self._arranged.place, self.program.inputs

        if isinstance(source, b2.TimedArray):
            check_source(self, source, index)
            self.inputs = build.timed_inputs(maker, count, source)
        elif isinstance(source, b2.BrianObject):
            chosen = check_source(self, source, index)
            self.source = source
            self.inputs, self.link = build.heard_inputs(maker, source, chosen)
        else:
            if index is not None:
                raise InputError(
                    "index names the source neuron of each input bit, and there is no source group"
                )
            self.inputs = build.played_inputs(maker, count)
        self.controls = build.controls(maker, self.program)
        self.neurons = build.neurons(maker, self.program, place)
        self.neurons.add_dependency(self)  # without its synapses it would be another network
        spikes = {"input": self.inputs, "control": self.controls, "neuron": self.neurons}
        wired = build.wire(maker, self.program, of, place, spikes)
        self.axons = wired["axons"]
        self.synapses = wired["synapses"]
        self.number_synapses, self.spelling = wired["number_synapses"], wired["spelling"]
        self.input_synapses = wired["input_synapses"]
        self.control_synapses = wired["control_synapses"]
        self.readout = self._readout() if record and len(self.outputs) else None
        self.decision = decision(maker, self.program, of, self.neurons, self.outputs) if decide else None
        self.contained_objects.extend(maker.made)
        if source is not None and not isinstance(source, (b2.TimedArray, b2.BrianObject)):
            self.present(source)

    @cached_property
    def layer(self) -> Mapping[str, Any]:
        """Layer name -> Subgroup of `neurons`, one neuron for each unit, in the network's order; see `units`."""
        return {name: self._part(name, *span) for name, span in self._arranged.layers.items()}

    @property
    def units(self) -> Mapping[str, I64]:
        """Layer name -> the network's own number of each neuron of `layer[name]`; one that can never matter is left out."""
        return self._arranged.units

    @cached_property
    def outputs(self) -> I64:
        """Index into `neurons` of each row of the program's outputs: each is an addend of a sum."""
        rows = self.program.outputs
        return np.asarray(self._arranged.place[np.array(self.program.first)[rows[:, 1]] + rows[:, 2]])

    @cached_property
    def output(self) -> Any:
        """Subgroup of the neurons that the readout reads: one per score, or all those whose spikes are counted."""
        if not len(self.outputs):
            raise InputError("the program has no outputs, so there is nothing to read")
        return self._part("output", int(self.outputs.min()), int(self.outputs.max()) + 1)

    @property
    def period(self) -> Any:
        """Time from one frame to the next."""
        return self.program.period * self.clock.dt

    @property
    def latency(self) -> Any:
        """Time from a frame's beginning until its sums are complete."""
        return self.program.latency * self.clock.dt

    def duration(self, frames: int) -> Any:
        """How long to run from `start` on until the sums of so many frames are complete."""
        return last_tick(self.program, frames) * self.clock.dt

    def present(self, x: Array, at: Any = None) -> None:
        """Play frames x (frames, *input shape), one each `period`, from `at` or the next beginning of a frame on.

        Frames given before that have not begun are dropped. `sums`, `scores` and `classes` then speak of these.
        """
        if not isinstance(self.inputs, b2.SpikeGeneratorGroup):
            raise InputError(f"{self.name} hears a source; to present frames, make it without one")
        bits = encode(self.program.encoder, np.asarray(x))
        period = self.program.period
        tick = max(self._now(), self.first_tick) if at is None else self._tick(at, "at")
        first = -(-(tick - self.first_tick) // period)
        if at is not None and (first < 0 or first * period != tick - self.first_tick):
            raise InputError(
                f"at={at} is not the beginning of a frame: frames of {self.name} begin "
                f"every {self.period} from {self.first_tick * self.clock.dt} on"
            )
        if at is not None and tick < self._now():
            raise InputError(f"at={at} has passed: it is {self._now() * self.clock.dt} in {self.name}")
        line, ticks = played(bits, period, self.first_tick + first * period)
        self.inputs.set_spikes(line, ticks * self.clock.dt, sorted=True)
        self._shown = (first, len(bits))

    def sums(self, first: int | None = None, frames: int | None = None) -> I64:
        """Integer sums (frames, sums) of frames that were run: unless told, those presented last, or all complete ones."""
        if self.readout is None and len(self.outputs):
            raise InputError(f"{self.name} was made with record=False, so there is nothing to read sums from")
        complete = self._complete()
        begin, count = self._shown or (0, complete)
        begin, count = (begin, count) if first is None else (first, complete - first)
        count = count if frames is None else frames
        if begin < 0 or count < 0 or begin + count > complete:
            raise InputError(
                f"frames {begin} to {begin + count - 1} of {self.name} are wanted, and {complete} are complete; "
                f"they are at {self.first_tick * self.clock.dt + self.duration(begin + count)}"
            )
        met = -(-max(0, (self._joined or 0) - self.first_tick) // self.program.period)
        if count and begin < met:
            raise InputError(
                f"frame {begin} of {self.name} began before {self.name} was in a run, which it is since "
                f"{(self._joined or 0) * self.clock.dt}; frames from {met} on are complete. To begin there, "
                "make it with start= the time of the network that it joins"
            )
        return sums(self, begin, count)

    def scores(self, first: int | None = None, frames: int | None = None) -> F64:
        """The network's scores (frames, *one frame's output), as `spikebnn.run` gives them; see `sums`."""
        return decode(self.program.decoder, self.sums(first, frames))

    def classes(self, first: int | None = None, frames: int | None = None) -> I64:
        """The class with the highest score (frames,); see `sums`."""
        scores = self.scores(first, frames)
        return np.asarray(scores.reshape(len(scores), math.prod(scores.shape[1:])).argmax(axis=1))

    def before_run(self, run_namespace: Any) -> None:
        """Refuse what would not be exact, before the first tick."""
        check_run(self)
        if b2.get_device() is b2.all_devices["runtime"]:
            check_ticks(self, self._ended, self._now())
            self._joined = self._now() if self._joined is None else self._joined
        known = getattr(
            b2.get_device(), "synapses", None
        )  # Brian2's standalone device looks for Synapses only among
        if known is not None:  # the objects that a user added to a Network, and not inside them
            known |= {part for part in self.contained_objects if isinstance(part, b2.Synapses)}
        super().before_run(run_namespace)

    def after_run(self) -> None:
        """Note how far the run came."""
        super().after_run()
        if b2.get_device() is b2.all_devices["runtime"]:
            self._ended = self._now()

    def _full_state(self) -> dict[str, Any]:
        """For store(): which frames are played, which Brian2 stores only in part, and what was run."""
        kept = {name: getattr(self.inputs, name) for name in PLAYED if hasattr(self.inputs, name)}
        return {"played": kept, "run": (self._shown, self._joined, self._ended)}

    def _restore_from_full_state(self, state: Mapping[str, Any]) -> None:
        """For restore()."""
        for name, value in state["played"].items():
            setattr(self.inputs, name, value)
        self._shown, self._joined, self._ended = state["run"]

    def _readout(self) -> Any:
        """The monitor from which sums are read: spikes, or membranes before the reset."""
        if self.program.readout == "spikes":
            return self._maker.add(b2.SpikeMonitor(self.output, name=f"{self.name}_readout"))
        return self._maker.add(
            b2.StateMonitor(
                self.neurons, "v", record=np.unique(self.outputs),
                when=order.SLOT, order=order.SEE, **self._maker.own("readout"),
            )
        )  # fmt: skip

    def _part(self, name: str, first: int, stop: int) -> Any:
        return b2.Subgroup(
            self.neurons, first, stop, name=f"{self.name}_{re.sub('[^A-Za-z0-9_]', '_', name)}*"
        )

    def _now(self) -> int:
        return round(float(np.asarray(self.clock.t_).ravel()[0]) / self.tick_seconds)

    def _complete(self) -> int:
        """Frames whose sums are complete by now."""
        rest = last_tick(self.program, 1) - self.program.period
        return max(0, (self._now() - self.first_tick - rest) // self.program.period)

    def _tick(self, time: Any, what: str) -> int:
        """A time as a tick, or one sentence."""
        fail_for_dimension_mismatch(time, b2.second, f"{what} is a time")
        ticks = float(time) / self.tick_seconds
        if ticks < 0 or abs(ticks - round(ticks)) > 1e-6:
            raise InputError(f"{what}={time} is not a tick of {self.name}, whose dt is {self.clock.dt}")
        return round(ticks)


def embed(program: Program | str | os.PathLike[str], source: Any = None, **more: Any) -> MappedNet:
    """`MappedNet(program, source, ...)` as a verb."""
    return MappedNet(program, source, **more)
