"""Lava graphs that cannot hang: `run_steps`, a `stop` that ends, and a clean exit where it was forgotten.

Lava itself waits for ever where a ProcessModel raises in a step, where a graph is stopped whose Injector has
nothing more to send or whose Extractor is full, and where the interpreter ends without `stop()`.
"""

# ruff: noqa: SLF001 (what a run that hangs needs, Lava offers under private names)
from __future__ import annotations

import atexit
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from spikebnn.errors import InputError, SimulatorFailed

POLL = 0.002  # seconds between two looks at the children
GRACE = 10.0  # seconds that a step under way has to end when the graph is stopped
_guarded: list[int] = []  # the process in which the guard at exit is registered


@contextmanager
def quiet_root() -> Iterator[None]:
    """Take back the handler that every Lava Process adds to the root logger: each line would be logged as often."""
    root = logging.getLogger()
    before = list(root.handlers)
    try:
        yield
    finally:
        for handler in [h for h in root.handlers if h not in before]:
            root.removeHandler(handler)


def run_steps(
    process: Any,
    steps: int,
    run_cfg: Any,
    *,
    limit: float | None = None,
    compile_config: dict[str, Any] | None = None,
) -> None:
    """Like `process.run(RunSteps(steps), run_cfg)`, but a failing or killed child ends it with a SimulatorFailed.

    `process` is any Process of the graph; `limit` is a number of seconds after which the run is given up (none:
    never). After an error the graph's children are gone, and the graph cannot be run again.
    """
    given: Any = steps
    if type(given) is bool or not isinstance(given, (int, np.integer)) or given < 1:
        raise InputError(f"a run takes a whole number of steps, 1 or more, and {steps!r} was asked for")
    from lava.magma.core.run_conditions import RunSteps

    clean_exit()
    if process.runtime is None:
        try:
            process.create_runtime(run_cfg=run_cfg, compile_config=compile_config)
        except BaseException:
            end(process.runtime)  # a model failed when it was made, and its siblings wait for ever
            raise
    runtime = process.runtime
    if _over(runtime):  # a run would crash
        raise InputError("this graph was stopped, and Lava cannot run it again; make its Processes anew")
    began = time.monotonic()
    process.run(condition=RunSteps(num_steps=int(steps), blocking=False), run_cfg=run_cfg)
    while not all(port.probe() for port in runtime.service_to_runtime):
        failure = _failure(runtime)
        if failure:
            end(runtime)
            raise SimulatorFailed(failure)
        if limit is not None and time.monotonic() - began > limit:
            end(runtime)
            raise SimulatorFailed(
                f"Lava did not finish {steps} steps in {limit:g} s, and its processes were ended"
            )
        time.sleep(POLL)
    try:
        runtime.wait()
    except RuntimeError as why:
        failure = _failure(runtime) or f"Lava ended the run: {why}"
        end(runtime)
        raise SimulatorFailed(failure) from why


def _failure(runtime: Any, stopping: bool = False) -> str:
    """Why a child ended, with its traceback; empty while all live."""
    for actor in runtime._messaging_infrastructure.actors:
        if actor._is_done:
            continue
        alive = actor.is_alive()  # asked first: it may end between the two questions
        try:
            told = actor.exception
        except Exception as why:  # it comes over pickled, and not every exception survives that
            return f"a Process of the Lava graph failed, and its exception cannot be read here: {why}"
        if told:
            return f"a Process of the Lava graph failed:\n{told[1]}"
        if not alive:
            code = actor.exitcode
            if stopping and not code:
                continue
            how = f"was killed by signal {-code}" if code and code < 0 else f"ended with exit code {code}"
            return f"a Process of the Lava graph {how} without a word"
    return ""


def stop(runtime: Any, grace: float = GRACE) -> None:
    """Stop a graph; its Injectors get zeros and its Extractors are emptied until the step under way is done."""
    if runtime is None or runtime._messaging_infrastructure is None or _over(runtime):
        return
    infrastructure = runtime._messaging_infrastructure
    if any(actor._parent_pid != os.getpid() for actor in infrastructure.actors):
        return  # a copy in a forked child
    if not runtime._is_started:  # its children wait for a first command
        end(runtime)
        return
    from lava.magma.runtime.mgmt_token_enums import MGMT_COMMAND, MGMT_RESPONSE, enum_equal

    for port in runtime.runtime_to_service:
        port.send(MGMT_COMMAND.STOP)
    waiting, began = list(runtime.service_to_runtime), time.monotonic()
    while waiting and time.monotonic() - began < grace and not _failure(runtime, stopping=True):
        waiting = [p for p in waiting if not (p.probe() and enum_equal(p.recv(), MGMT_RESPONSE.TERMINATED))]
        _ease(runtime)
        time.sleep(POLL)
    while not waiting and time.monotonic() - began < grace:
        if not any(actor.is_alive() for actor in infrastructure.actors if not actor._is_done):
            runtime.join()
            break
        time.sleep(POLL)
    end(runtime)
    runtime._watchdog_manager.stop()


def _ease(runtime: Any) -> None:
    """Let nobody wait for the host: fill what it should fill, empty what it should empty."""
    for process in runtime._executable.process_list:
        for port in process.in_ports:
            into = getattr(port, "external_pipe_csp_send_port", None)
            if into is not None and into.probe():
                into.send(np.zeros(into.shape, into.d_type))
        for port in process.out_ports:
            out = getattr(port, "external_pipe_csp_recv_port", None)
            while out is not None and out.probe():
                out.recv()


def _over(runtime: Any) -> bool:
    """Whether the graph was stopped or ended, so that its shared memory is gone."""
    return getattr(runtime, "_ended", False) or runtime._messaging_infrastructure.smm._manager is None


def end(runtime: Any) -> None:
    """End the children of a graph, whatever they do, and give back its shared memory."""
    if runtime is None or runtime._messaging_infrastructure is None or getattr(runtime, "_ended", False):
        return
    infrastructure = runtime._messaging_infrastructure
    runtime._ended = True
    for actor in infrastructure.actors:
        if not actor._is_done and actor._parent_pid == os.getpid():
            try:
                actor.kill()
                actor.join()
            except (OSError, ValueError, EOFError):
                pass  # it is gone
    try:
        infrastructure.smm.shutdown()
    except (OSError, EOFError, AttributeError):
        pass
    runtime._is_started = runtime._is_running = False


def clean_exit() -> None:
    """From now on the end of this interpreter ends every Lava graph that nobody stopped."""
    if os.getpid() in _guarded:
        return
    _guarded[:] = [os.getpid()]
    # multiprocessing joins its children in a handler that is registered when it is imported; the last registered comes first
    import multiprocessing.util  # noqa: F401

    atexit.register(_end_all)


def _end_all() -> None:
    from lava.magma.core.process.process import ProcessServer

    for process in list(ProcessServer().processes):
        runtime = process._runtime
        if runtime is not None and runtime._messaging_infrastructure is not None and not _over(runtime):
            end(runtime)
