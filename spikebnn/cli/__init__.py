"""The command line: find the verb, run it, and turn every error into one sentence and an exit code.

Exit codes: 0 fine; 1 not equal, or does not fit; 2 usage or bad input; 3 a simulator is not available;
70 a bug in spikebnn; 130 interrupted. One file a verb; each calls one public function and prints its answer.
"""

from __future__ import annotations

import errno
import io
import json
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module

from spikebnn.cli.parser import Parser, closest, common_options, joined
from spikebnn.errors import CheckError, InputError, SpikeBNNError

BUG, INTERRUPTED, PIPE_CLOSED = 70, 130, 141  # sysexits.h EX_SOFTWARE; 128 + signal

# verb -> its line in `spikebnn --help`; the verb lives in spikebnn/cli/VERB.py
VERBS = {
    "map": "map a trained network onto a target and write the program, net.sbnn",
    "check": "say whether a network fits a target; list every violation",
    "export": "write net.pt from a torch module in a Python file",
    "run": "run a program on data: accuracy, spikes, energy, latency",
    "verify": "compare a program with the original network, bit for bit; write a certificate",
    "stream": "feed a sensor stream through a mapped network, row by row",
    "faults": "say what dead cores, lost packets and flipped bits do to a program on data",
    "report": "print what a run or a certificate found",
    "compare": "set runs side by side: do their energy intervals overlap?",
    "exchange": "write SANA-FE's files, and bring its result back as a second opinion",
    "targets": "list the known targets, show one with its sources, check a file",
    "doctor": "say what is installed, and probe every simulator",
    "bench": "time the simulators on this machine against a float32 matmul",
}

_EPILOG = """\
spikebnn VERB --help explains a verb. Try:
  spikebnn map net.pt --target loihi-sim -o net.sbnn
  spikebnn run net.sbnn --data test.npz
  spikebnn verify net.sbnn --against net.pt --data test.npz --simulator all

Exit codes: 0 fine, 1 not equal or does not fit, 2 usage or bad input, 3 simulator not available.
"""

_EXTRAS = {"torch": "torch", "numba": "fast", "brian2": "brian2"}  # package -> extra that brings it


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; never raises."""
    words = joined(sys.argv[1:] if arguments is None else arguments)
    _open_streams()
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _silent if {"--quiet", "-q"} & set(words) else _note
            code = _command(words)
        sys.stdout.flush()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 0
    except KeyboardInterrupt:
        code = _say("interrupted", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # so that the flush at exit has somewhere to go
        code = PIPE_CLOSED
    except Exception as error:
        if "--debug" in words:
            raise
        code = _explain(error, words)
    return code


def _open_streams() -> None:
    """Give a closed standard stream somewhere to go, and let no letter that it cannot write stop the command."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller, as in `>&-`
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, open to the end
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _command(words: list[str]) -> int:
    at = next((n for n, word in enumerate(words) if not word.startswith("-")), len(words))
    before, verb, after = words[:at], words[at : at + 1], words[at + 1 :]
    parser = _top_parser()
    parser.refuse_unknown(before)
    if not verb or verb[0] not in VERBS:
        parser.parse_args(before)  # --help and --version leave here
        if not verb:
            parser.print_help(sys.stderr)
            return 2
        raise InputError(
            f"there is no verb {verb[0]!r}{closest(verb[0], VERBS)}; the verbs are {', '.join(VERBS)}"
        )
    if {"--help", "-h", "--version"} & set(before):
        parser.parse_args(before)
    module = import_module(f"spikebnn.cli.{verb[0]}")
    inner = Parser(prog=f"spikebnn {verb[0]}", description=module.__doc__)
    module.configure(inner)
    common_options(inner)
    inner.refuse_unknown(before + after)
    code: int = module.execute(inner.parse_args(before + after))
    return code


def _top_parser() -> Parser:
    from spikebnn import __version__

    listing = "\n".join(f"  {verb:<9} {line}" for verb, line in VERBS.items())
    parser = Parser(
        prog="spikebnn",
        usage="spikebnn [--version] VERB ...",
        description=f"Map a trained binary neural network onto integrate-and-fire cores, bit for bit.\n\nverbs:\n{listing}",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"spikebnn {__version__}")
    common_options(parser)
    return parser


def _explain(error: Exception, words: list[str]) -> int:
    """Print the sentence of an error and return its exit code."""
    if isinstance(error, CheckError):
        return _say(f"error: {error} This is a bug in spikebnn; please report it", error.exit_code)
    if isinstance(error, SpikeBNNError):
        if "--json" in words:
            _json_error(error)
        return _say(f"error: {error}", error.exit_code)
    if isinstance(error, ModuleNotFoundError) and (package := (error.name or "").split(".")[0]) in _EXTRAS:
        return _say(f'error: this needs the package {package}: pip install "spikebnn[{_EXTRAS[package]}]"', 2)
    if isinstance(error, OSError) and error.errno is not None:
        if error.errno == errno.ENOSPC:
            return _say(f"error: no space left on the disk{_where(error)}; nothing was overwritten", 2)
        return _say(f"error: {(error.strerror or 'the system refused').lower()}{_where(error)}", 2)
    if isinstance(error, MemoryError):
        return _say("error: not enough memory; use fewer frames with --limit", 2)
    text = " ".join(str(error).split()) or "no message"
    return _say(
        f"error: {type(error).__name__}: {text}. This is a bug in spikebnn; --debug shows the traceback", BUG
    )


def _note(message: Warning | str, *_how: object, **_more: object) -> None:
    """Show a warning as one sentence, without file and line."""
    _say(f"note: {message}", 0)


def _silent(*_how: object, **_more: object) -> None:
    """Show no warning."""


def _where(error: OSError) -> str:
    return f": {error.filename}" if error.filename is not None else ""


def _json_error(error: SpikeBNNError) -> None:
    violations = [str(violation) for violation in getattr(error, "violations", ())]
    print(json.dumps({"error": str(error), "exit": error.exit_code, "violations": violations}, indent=2))


def _say(sentence: str, code: int) -> int:
    try:
        print(f"spikebnn: {sentence}", file=sys.stderr)
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return code
