"""A simulated event camera that looks at images: it sweeps over each, and pixels whose brightness moves send events."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spikebnn.arrays import F64, Array
from spikebnn.data import read_arrays
from spikebnn.errors import InputError
from spikebnn.stream.plan import SourcePlan
from spikebnn.stream.sources.block import Block, Position, file_digest

PATH = ((0.0, 0.0), (1.5, 2.0), (-1.5, 2.0), (0.0, 0.0))  # (down, right) in pixels, three straight saccades
SACCADE = 0.010  # seconds for each of them
VIEWS = 4  # pictures that are rendered in each; between them brightness is linear in time
STEP = 0.4  # of the logarithm of brightness, nats, from one event of a pixel to its next
DARK = 0.1  # added to brightness (0 to 1) before the logarithm is taken: the light that is everywhere
TOGETHER = 32  # images in a block


class Saccade:
    """Events (t in seconds, x, y, polarity) of images in an .npz: x (images, height, width), or with a channel axis of 1.

    An ideal pixel (Lichtsteiner, Posch, Delbruck, IEEE JSSC 43:566, 2008) sends an event, ON or OFF, whenever the logarithm
    of its brightness has moved by a step since its last one; times lie between rendered views (as in ESIM: Rebecq,
    Gehrig, Scaramuzza, CoRL 2018). The camera makes three saccades around each image, an idea of N-MNIST (Orchard et al.,
    Front. Neurosci. 9:437, 2015). `noise` is the spread of the pixels' steps, as a share of the step, drawn from `seed`.
    Each image is a segment, its label is y.
    """

    live, events, exact, regular, full_scale = False, True, True, True, None
    rate: float | None = None
    channels = ("t", "x", "y", "polarity")

    def __init__(self, plan: SourcePlan) -> None:
        self.name = plan.file
        held = read_arrays(plan.file)
        if plan.array not in held:
            raise InputError(f"{plan.file}: there is no array {plan.array!r}; it holds {', '.join(held)}")
        x = held[plan.array]
        images = x[:, 0] if x.ndim == 4 and x.shape[1] == 1 else x
        if images.ndim != 3 or images.dtype.kind not in "uif" or not images.size:
            raise InputError(
                f"{plan.file}: a camera looks at images, {plan.array} (images, height, width), found {x.dtype} {x.shape}"
            )
        if plan.columns or plan.segments or plan.time:
            raise InputError(
                f"{plan.file}: the events of a camera have no columns, segments or times to name"
            )
        named = plan.labels or "y"
        self.labels = held.get(named)
        if plan.labels and self.labels is None:
            raise InputError(f"{plan.file}: there is no array {plan.labels!r}; it holds {', '.join(held)}")
        if self.labels is not None and self.labels.shape != (len(images),):
            raise InputError(
                f"{plan.file}: {named} has shape {self.labels.shape}, wanted one for each of the {len(images)} images"
            )
        self.images = images
        self.full = 255.0 if images.dtype.kind in "ui" else 1.0
        self.frame = (images.shape[2], images.shape[1])
        self.steps = thresholds(images.shape[1:], plan.noise, plan.seed)

    def blocks(self, position: Position) -> Iterator[Block]:
        for at in range(int(position.get("image", 0)), len(self.images), TOGETHER):
            some = self.images[at : at + TOGETHER].astype(np.float64) / self.full
            sent, image = swept(some, self.steps)
            sent[:, 0] += (at + image) * SACCADE * (len(PATH) - 1)
            yield Block(
                values=sent,
                position={"image": at + len(some)},
                labels=None if self.labels is None else self.labels[at + image],
                segments=at + image,
            )

    def digest(self) -> str:
        return file_digest(self.name)

    def lost(self) -> int:
        return 0


def thresholds(shape: tuple[int, ...], noise: float, seed: int) -> F64:
    """Every pixel's own step, (height, width); none below a tenth of STEP."""
    drawn = np.random.default_rng(seed).standard_normal(shape)
    out: F64 = STEP * np.maximum(0.1, 1 + noise * drawn)
    return out


def swept(images: F64, steps: F64) -> tuple[F64, Array]:
    """The events of images (images, height, width), brightness 0 to 1, in the order of image and time; and whose they are.

    Times are from the beginning of each image's first saccade.
    """
    stops = np.linspace(0, len(PATH) - 1, VIEWS * (len(PATH) - 1) + 1)
    path = np.asarray(PATH)
    seen = [
        np.log(DARK + _moved(images, *(np.interp(s, np.arange(len(path)), path[:, k]) for k in (0, 1))))
        for s in stops
    ]
    last = seen[0].copy()  # where each pixel sent its last event
    found = []
    for k in range(1, len(seen)):
        count = np.trunc((seen[k] - last) / steps)
        for n in range(1, int(np.abs(count).max(initial=0)) + 1):
            image, row, column = np.nonzero(np.abs(count) >= n)
            way = np.sign(count[image, row, column])
            level = last[image, row, column] + n * way * steps[row, column]
            before, after = seen[k - 1][image, row, column], seen[k][image, row, column]
            with np.errstate(invalid="ignore", divide="ignore"):
                share = np.where(after == before, 1.0, (level - before) / (after - before))
            at = (stops[k - 1] + np.clip(share, 0.0, 1.0) * (stops[k] - stops[k - 1])) * SACCADE
            found.append(np.stack([image, at, column, row, (way > 0).astype(np.float64)], axis=1))
        last += count * steps
    every = np.concatenate(found) if found else np.zeros((0, 5))
    order = np.lexsort((every[:, 1], every[:, 0]))
    return every[order, 1:], every[order, 0].astype(np.int64)


def _moved(images: F64, down: float, right: float) -> F64:
    """Images seen from a camera that stands aside by a part of a pixel, bilinear; beyond the border it is dark."""
    high, wide = images.shape[1:]
    edge = 1 + int(max(abs(down), abs(right)))
    padded = np.pad(images, ((0, 0), (edge, edge), (edge, edge)))
    y, x = int(np.floor(down)), int(np.floor(right))
    fy, fx = down - y, right - x
    out = np.zeros_like(images)
    for dy, wy in ((0, 1 - fy), (1, fy)):
        for dx, wx in ((0, 1 - fx), (1, fx)):
            top, left = edge + y + dy, edge + x + dx
            if wy * wx:
                out += wy * wx * padded[:, top : top + high, left : left + wide]
    return out
