"""Audio: PCM .wav by the standard library; float .wav, FLAC and others by the package soundfile."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from typing import Any

import numpy as np

from spikebnn.arrays import F64
from spikebnn.errors import InputError
from spikebnn.stream.plan import SourcePlan
from spikebnn.stream.sources.block import ROWS, Block, Position, chosen, file_digest

NEEDS = 'needs the package soundfile: pip install "spikebnn[sensors]"'
BLOCK = 4 * ROWS
SIDES = {1: ("mono",), 2: ("left", "right")}


class Wav:
    """Samples from -1 to 1, as a share of full scale; channels are mono, left and right, or 0, 1, 2, ..."""

    live, events, exact, regular = False, False, True, True

    def __init__(self, plan: SourcePlan) -> None:
        self.name = plan.file
        self._pcm = _is_pcm(plan.file)
        rate, count, lowest = _facts(plan.file) if self._pcm else _sound_facts(plan.file)
        there = SIDES.get(count, tuple(str(k) for k in range(count)))
        self.columns = chosen(plan.file, plan.columns, there)
        self.channels, self.rate = tuple(there[k] for k in self.columns), float(rate)
        self.full_scale: tuple[float, float] | None = (-1.0, 1.0 - lowest)

    def blocks(self, position: Position) -> Iterator[Block]:
        row = int(position.get("row", 0))
        for values in _pcm(self.name, row) if self._pcm else _sound(self.name, row):
            row += len(values)
            yield Block(values=values[:, self.columns], position={"row": row})

    def digest(self) -> str:
        return file_digest(self.name)

    def lost(self) -> int:
        return 0


def _is_pcm(path: str) -> bool:
    """Whether the standard library reads it."""
    try:
        with wave.open(path, "rb") as file:
            return file.getsampwidth() in (1, 2, 3, 4)
    except (wave.Error, EOFError):
        return False
    except OSError as error:
        raise InputError(
            f"{path}: cannot be opened: {(error.strerror or 'the system refused').lower()}"
        ) from None


def _facts(path: str) -> tuple[int, int, float]:
    with wave.open(path, "rb") as file:
        if file.getframerate() < 1:
            raise InputError(f"{path}: the file says {file.getframerate()} samples a second")
        return file.getframerate(), file.getnchannels(), 2.0 ** (1 - 8 * file.getsampwidth())


def _pcm(path: str, row: int) -> Iterator[F64]:
    with wave.open(path, "rb") as file:
        if row:
            file.setpos(min(row, file.getnframes()))
        wide, count = file.getsampwidth(), file.getnchannels()
        while raw := file.readframes(BLOCK):
            data = raw[
                : len(raw) // (wide * count) * wide * count
            ]  # a file that was cut off ends within a sample
            if wide == 3:
                bytes_ = np.frombuffer(data, np.uint8).reshape(-1, 3)
                samples = (
                    (np.concatenate([np.zeros((len(bytes_), 1), np.uint8), bytes_], axis=1).view("<i4")[:, 0])
                    / 2.0**31
                )
            elif wide == 1:
                samples = (np.frombuffer(data, np.uint8).astype(np.float64) - 128) / 128
            else:
                samples = np.frombuffer(data, f"<i{wide}") / 2.0 ** (8 * wide - 1)
            if not len(samples):
                return
            yield samples.reshape(-1, count).astype(np.float64)


def _soundfile(path: str) -> Any:
    try:
        import soundfile
    except ImportError:
        raise InputError(f"{path}: audio that is no PCM .wav {NEEDS}") from None
    try:
        return soundfile.SoundFile(path)
    except (OSError, RuntimeError) as error:
        reason = str(error).split(": ", 1)[-1].strip().rstrip(".").lower()
        raise InputError(f"{path}: this is no audio file that can be read: {reason}") from None


def _sound_facts(path: str) -> tuple[int, int, float]:
    with _soundfile(path) as file:
        bits = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}.get(file.subtype)
        return file.samplerate, file.channels, 2.0 ** (1 - bits) if bits else 0.0


def _sound(path: str, row: int) -> Iterator[F64]:
    with _soundfile(path) as file:
        file.seek(min(row, file.frames))
        while len(values := file.read(BLOCK, dtype="float64", always_2d=True)):
            yield values
