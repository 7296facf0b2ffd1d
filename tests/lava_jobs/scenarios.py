"""What Lava users do with a MappedNet, each as one job: programs and data in, plain lists out."""

from __future__ import annotations

import logging
import os
import signal
import time
from pathlib import Path

import numpy as np

from spikebnn.lava import MappedNet, PyMappedNetModel, SubMappedNetModel, run_steps

from lava.magma.core.run_conditions import RunContinuous, RunSteps  # isort: skip (spikebnn.lava comes first)
from lava.magma.core.run_configs import Loihi1SimCfg, Loihi2SimCfg  # isort: skip
from lava.proc.io.extractor import Extractor, PyLoihiExtractorModel  # isort: skip
from lava.proc.io.injector import Injector, PyLoihiInjectorModel  # isort: skip
from lava.proc.io.sink import RingBuffer as Sink  # isort: skip
from lava.proc.io.source import RingBuffer as Source  # isort: skip
from lava.proc.monitor.process import Monitor  # isort: skip


def given(folder):
    return Path(folder) / "program.sbnn", np.load(Path(folder) / "data.npy")


def sink(port, steps):
    made = Sink(shape=port.shape, buffer=steps)
    port.connect(made.a_in)
    return made


def fixed(**options):
    return Loihi1SimCfg(select_tag="fixed_pt", **options)


def ring(folder):
    """source.RingBuffer -> net -> sink.RingBuffer, under every tag and both run configurations."""
    program, data = given(folder)
    out = {}
    for config in (
        Loihi1SimCfg(select_tag="fixed_pt"),
        Loihi2SimCfg(select_tag="floating_pt"),
        Loihi2SimCfg(),
    ):
        net = MappedNet(program)
        source = Source(data=data)
        source.s_out.connect(net.s_in)
        steps = data.shape[-1]
        seen = sink(net.s_out, steps)
        net.run(condition=RunSteps(num_steps=steps), run_cfg=config)
        out[str(config.select_tag)] = seen.data.get().astype(int).tolist()
        net.stop()
        net.stop()  # a second stop is no error
    return out


def several_senders(folder):
    """Two sources into one s_in, with spikes of 200 and of 1: added up they are still one spike."""
    program, data = given(folder)
    net = MappedNet(program)
    for weight in (200, 100):
        Source(data=(weight * data).astype(np.uint8)).s_out.connect(net.s_in)
    seen = sink(net.s_out, data.shape[-1])
    run_steps(net, data.shape[-1], fixed())
    got = seen.data.get().astype(int).tolist()
    net.stop()
    return {"out": got}


def batch(folder):
    """(batch, inputs, steps) through ports with a first axis, with everything that a net can tell."""
    program, data = given(folder)
    net = MappedNet(program, len(data))
    Source(data=data).s_out.connect(net.s_in)
    steps = data.shape[-1]
    names = ("s_out", "sums_out", "class_out", "v_out", "all_out")
    sinks = {name: sink(getattr(net, name), steps) for name in names}
    run_steps(net, steps, fixed())
    out = {name: made.data.get().astype(int).tolist() for name, made in sinks.items()}
    out["sums"], out["v"] = net.sums.get().astype(int).tolist(), net.v.get().astype(int).tolist()
    net.stop()
    return out


def chain(folder):
    """Two nets in one graph: the outputs of the first are the inputs of the second."""
    program, data = given(folder)
    first, second = MappedNet(program), MappedNet(Path(folder) / "second.sbnn")
    Source(data=data).s_out.connect(first.s_in)
    first.s_out.connect(second.s_in)
    steps = data.shape[-1]
    sinks = sink(first.s_out, steps), sink(second.s_out, steps)
    run_steps(first, steps, fixed())
    out = [made.data.get().astype(int).tolist() for made in sinks]
    first.stop()
    return {"first": out[0], "second": out[1]}


def loop(folder):
    """A net whose outputs are its own inputs does not deadlock."""
    program, data = given(folder)
    net = MappedNet(program)
    Source(data=data).s_out.connect(net.s_in)
    net.s_out.connect(net.s_in)
    seen = sink(net.s_out, data.shape[-1])
    run_steps(net, data.shape[-1], fixed(), limit=100)
    got = seen.data.get().astype(int).tolist()
    net.stop()
    return {"out": got}


def inside(folder):
    """A net inside a hierarchical Process of a user's."""
    from hierarchy.sensor import Sensor

    program, data = given(folder)
    plain = MappedNet(program)
    outer = Sensor(program=program, inputs=plain.s_in.shape[0], outputs=plain.s_out.shape[0])
    Source(data=data).s_out.connect(outer.s_in)
    seen = sink(outer.s_out, data.shape[-1])
    run_steps(outer, data.shape[-1], fixed())
    got = seen.data.get().astype(int).tolist()
    outer.stop()
    return {"out": got}


def in_pieces(folder):
    """5 steps, then the rest: state goes on. Then a graph that was stopped is not run again."""
    program, data = given(folder)
    net = MappedNet(program)
    Source(data=data).s_out.connect(net.s_in)
    seen = sink(net.s_out, data.shape[-1])
    out = {}
    try:
        run_steps(net, 0, fixed())
    except ValueError as why:
        out["none"] = str(why)
    run_steps(net, 5, fixed())
    early = seen.data.get().astype(int).tolist()
    run_steps(net, data.shape[-1] - 5, fixed())
    out |= {"early": early, "out": seen.data.get().astype(int).tolist()}
    net.stop()
    try:
        run_steps(net, 1, fixed())
    except ValueError as why:
        out["again"] = f"{type(why).__name__}: {why}"
    return out


def monitors(folder):
    """Monitors on the output port, and on the membranes."""
    program, data = given(folder)
    net, steps = MappedNet(program), data.shape[-1]
    Source(data=data).s_out.connect(net.s_in)
    spikes, membranes = Monitor(), Monitor()
    spikes.probe(net.s_out, steps)
    membranes.probe(net.v, steps)
    run_steps(net, steps, fixed())
    out = {
        "s_out": spikes.get_data()[net.name]["s_out"].astype(int).tolist(),
        "v": membranes.get_data()[net.name]["v"].astype(int).tolist(),
    }
    net.stop()
    return out


def streaming(folder):
    """Injector and Extractor, the host in the loop, without an end that is known beforehand; float spikes."""
    program, data = given(folder)
    net, steps = MappedNet(program), data.shape[-1]
    into, out = Injector(shape=net.s_in.shape, buffer_size=4), Extractor(shape=net.s_out.shape, buffer_size=4)
    into.out_port.connect(net.s_in)
    net.s_out.connect(out.in_port)
    models = {Injector: PyLoihiInjectorModel, Extractor: PyLoihiExtractorModel}
    net.run(condition=RunContinuous(), run_cfg=fixed(exception_proc_model_map=models))
    got = []
    for step in range(steps):
        into.send(data[:, step].astype(float))
        got.append(out.receive().astype(int).tolist())
    net.stop()
    return {"out": np.array(got).T.tolist()}


def ordinary(folder):
    """The model of Dense, Sparse and LIFReset, asked for in both of Lava's ways, and in floating point."""
    program, data = given(folder)
    steps, out = data.shape[-1], {}
    for name, config in {
        "map": fixed(exception_proc_model_map={MappedNet: SubMappedNetModel}),
        "flag": fixed(select_sub_proc_model=True),
        "float": Loihi2SimCfg(select_tag="floating_pt", select_sub_proc_model=True),
        "whole": fixed(exception_proc_model_map={MappedNet: PyMappedNetModel}),
    }.items():
        net = MappedNet(program)
        Source(data=data).s_out.connect(net.s_in)
        ports = [net.s_out, net.sums_out] if net.program.readout == "membrane" else [net.s_out]
        sinks = [sink(port, steps) for port in ports]
        run_steps(net, steps, config)
        out[name] = [made.data.get().astype(int).tolist() for made in sinks]
        out[f"{name}, processes"] = len(net.runtime._messaging_infrastructure.actors)
        net.stop()
    return out


def refused(folder):
    """A graph whose model cannot be made ends with its sentence, and with no process left."""
    program, _ = given(folder)
    net = MappedNet(program, controls="inside")
    port = (Path(folder) / "port.txt").read_text()
    sink(getattr(net, port), 1)
    run_steps(net, 1, fixed(select_sub_proc_model=True))
    return {}


def wrong_shape(folder):
    """A port of another shape is refused when it is connected."""
    program, _ = given(folder)
    net = MappedNet(program)
    try:
        Source(data=np.zeros((net.s_in.shape[0] + 1, 3))).s_out.connect(net.s_in)
    except Exception as why:
        return {"error": f"{type(why).__name__}: {why}"}
    return {"error": ""}


def handlers(folder):
    """Making nets adds no handlers to the root logger."""
    program, _ = given(folder)
    before = len(logging.getLogger().handlers)
    nets = [MappedNet(program) for _ in range(5)]
    return {"before": before, "after": len(logging.getLogger().handlers), "nets": len(nets)}


def boom(folder):
    """A graph with a Process that misbehaves, run as the folder says."""
    from misbehaving.boom import Boom

    how, _, manner = (Path(folder) / "how.txt").read_text().partition(", ")
    source, middle = Source(data=np.ones((4, 20))), Boom(shape=(4,), how=how)
    source.s_out.connect(middle.s_in)
    seen = sink(middle.s_out, 20)
    (Path(folder) / "progress").write_text("made")
    if manner == "by Lava's own run":
        middle.run(condition=RunSteps(num_steps=20), run_cfg=fixed())
    else:
        run_steps(middle, 20, fixed(), limit=0.5 if manner == "limited" else None)
    total = int(seen.data.get().sum())
    if manner != "no stop":
        middle.stop()
    return {"sum": total}


def killed(folder):
    """The child itself is killed while its graph runs."""
    from misbehaving.boom import Boom

    source, middle = Source(data=np.ones((4, 20))), Boom(shape=(4,), how="hang")
    source.s_out.connect(middle.s_in)
    middle.run(condition=RunSteps(num_steps=20, blocking=False), run_cfg=fixed())
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGKILL)


def sleep(folder):
    """Nothing, for a long time."""
    (Path(folder) / "progress").write_text("begun")
    time.sleep(600)
