"""Whether a target is the very file that a program was mapped with: a name alone does not say so."""

from __future__ import annotations

from collections.abc import Mapping

from spikebnn.errors import InputError
from spikebnn.program import Program
from spikebnn.targets import load_target, target_names
from spikebnn.targets.target import Target

GIVE_IT = "give the file it was mapped with: --target FILE"


def target_of(program: Program, named: str | None, how: str = "name it: --target") -> Target:
    """The target that is named, else the one that the program was mapped for; InputError where that is a user's own file."""
    if named is None and program.target not in target_names():
        raise InputError(
            f"the program was mapped for {program.target!r}, a target file of your own; {how} {program.target}.toml"
        )
    return load_target(named or program.target)


def check_mapped_for(program: Program, target: Target, remedy: str = GIVE_IT) -> None:
    """Raise InputError where the target bears the program's name but comes from another file.

    A program whose header holds no digest of its target is taken at its word; a target of another name is none of
    this module's business.
    """
    if target.name == program.target and not is_file_of(program, target):
        raise InputError(
            f"the program was mapped for another file named {target.name} (sha256 {_digest(program)[:12]}..., "
            f"and this one has {target.digest[:12]}...); {remedy}"
        )


def is_file_of(program: Program, target: Target) -> bool:
    """Whether the digests of the two agree, as far as the program knows its own."""
    return _digest(program) in ("", target.digest)


def _digest(program: Program) -> str:
    made = program.header.get("target")
    return str(made.get("digest", "")) if isinstance(made, Mapping) else ""
