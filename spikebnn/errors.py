"""One family of errors; every sentence says what was wanted, what was found, where, and what to try.

    SpikeBNNError                 exit code
    ├── InputError (ValueError)       2      a file, an option or data that cannot be used as it is
    │   ├── ImportRefused             2      a network file that is not opened, or a network that is not mapped
    │   └── TargetError               2      a target description with a mistake in it
    ├── FitError                      1      the network does not fit the target; lists every violation
    ├── NotEqualError                 1      two things that must be equal are not
    ├── CheckError (AssertionError)   1      a stage produced something its checker rejects: our bug
    ├── SimulatorMissing (ImportError) 3     a simulator whose package is not installed
    └── SimulatorFailed (RuntimeError) 3     a simulator that broke down while it ran
"""

from __future__ import annotations


class SpikeBNNError(Exception):
    """Base of all errors raised on purpose; `exit_code` is what the command line returns."""

    exit_code = 2


class InputError(SpikeBNNError, ValueError):
    """A file, option or array that cannot be used; the message says what to do about it."""


class ImportRefused(InputError):
    """A network file that is not opened, or a network that cannot be mapped exactly."""


class TargetError(InputError):
    """A target description that breaks its schema."""


class FitError(SpikeBNNError, ValueError):
    """The network does not fit the target; `violations` lists every reason at once."""

    exit_code = 1

    def __init__(self, message: str, violations: tuple[object, ...] = ()) -> None:
        super().__init__(message)
        self.violations = violations


class NotEqualError(SpikeBNNError):
    """Two things that must be equal differ; the message names the first difference."""

    exit_code = 1


class CheckError(SpikeBNNError, AssertionError):
    """A stage made something that its own checker rejects. This is a bug in spikebnn; please report it."""

    exit_code = 1


class SimulatorMissing(SpikeBNNError, ImportError):
    """A simulator that is not installed; the message carries the line that installs it."""

    exit_code = 3


class SimulatorFailed(SpikeBNNError, RuntimeError):
    """A simulator that broke down while it ran, with what its process said; nothing is known about the program."""

    exit_code = 3
