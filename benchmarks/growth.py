"""How capture, replay and diagnosis grow with the image, the proposals, the categories, the objects, the data set.

All points of a curve are measured in turn in one process. The detector is the ResNet-50 FPN of the other
benchmarks; for data sets, of which thousands of images are wanted, it is a tiny pyramid on scenes of 64 px.
Only one thing grows at a time: an RPN that keeps nearly all (NMS at 0.95) fills its limit at every size, and a box
replay gets the score at which as many class slots are over it as there are RoIs.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.box_what_if import moving
from benchmarks.curves import Curve, report_curves
from benchmarks.growth_notes import explained, kept_for_each
from benchmarks.measure import in_turn
from benchmarks.memory import memory_of
from benchmarks.subject import build, image
from benchmarks.verdicts import scattered
from detector import Detector, GroundTruth, Replayer, capture, diagnose, diagnose_dataset
from detector.data import ShapesDataset
from detector.models.pyramid import PyramidConfig, build_pyramid

SIDE, OBJECTS = 400, 20
PIXELS, PROPOSALS, CATEGORIES = "network input, megapixels", "proposals", "categories"
ALL_OBJECTS, IMAGES = "objects", "images of a data set"


@dataclass(frozen=True, slots=True)
class Sizes:
    """What is measured; each from small to large.

    Args:
        sides: of the network input, the shorter one, in pixels.
        proposals: that the RPN hands on.
        categories: without the background.
        objects: of the ground truth of one image.
        images: of a data set.
    """

    sides: tuple[int, ...] = (200, 280, 400, 560, 800, 1130, 1600)
    proposals: tuple[int, ...] = (300, 1000, 2000, 3000, 5000, 10_000)
    categories: tuple[int, ...] = (2, 10, 40, 80, 300, 1203)
    objects: tuple[int, ...] = (1, 5, 20, 50, 100, 200, 500)
    images: tuple[int, ...] = (100, 300, 1000, 2500, 5000)


@dataclass(frozen=True, slots=True)
class Point:
    """What is called at one amount of work, by its name."""

    x: float
    calls: Mapping[str, Callable[[], object]]


def run(sizes: Sizes | None = None, rounds: int = 3) -> None:
    """Print and write the table."""
    sizes = sizes or Sizes()
    report_curves("growth: times and memory against the amount of work", list(curves(sizes, rounds)))


def curves(sizes: Sizes, rounds: int) -> Iterator[Curve]:
    """All of them; what one series needs is dropped before the next one begins."""
    yield from measured(PIXELS, by_side(sizes.sides), rounds)
    yield from measured(PROPOSALS, by_proposals(sizes.proposals), rounds)
    yield from measured(CATEGORIES, by_categories(sizes.categories), rounds)
    yield from measured(ALL_OBJECTS, by_objects(sizes.objects), max(5, rounds))
    yield from by_images(sizes.images)


def measured(against: str, points: Sequence[Point], rounds: int) -> Iterator[Curve]:
    """A curve for each of the calls."""
    x = tuple(point.x for point in points)
    for what in points[0].calls:
        y = in_turn([point.calls[what] for point in points], rounds=rounds)
        yield explained(Curve(what, against, x, tuple(y)))


def by_side(sides: Sequence[int]) -> list[Point]:
    """The same photo, resized to another input of the network."""
    detectors = [build_at(side) for side in sides]
    return [Point(megapixels(one), calls_of(one)) for one in detectors]


def megapixels(detector: Detector) -> float:
    """Of the network's input for the benchmarks' image."""
    height, width = detector.model.transform([image()])[0].image_sizes[0]
    return round(height * width / 1e6, 3)


def by_proposals(counts: Sequence[int]) -> list[Point]:
    """As many boxes as are asked for, from the RPN to the box filter."""
    detectors = [
        build_at(SIDE, rpn_pre_nms_top_n_test=2 * count, rpn_post_nms_top_n_test=count) for count in counts
    ]
    return [Point(len(capture(one, image()).head.boxes), calls_of(one)) for one in detectors]


def by_categories(counts: Sequence[int]) -> list[Point]:
    """A head with so many classes."""
    detectors = [build_at(SIDE, classes=count + 1) for count in counts]
    return [Point(count, calls_of(one)) for count, one in zip(counts, detectors, strict=True)]


def by_objects(counts: Sequence[int]) -> list[Point]:
    """Verdicts for so many objects of one image."""
    detector = build_at(SIDE)
    replay = Replayer(capture(detector, image()), detector).replay()

    def verdicts(boxes: Tensor, labels: Tensor) -> Callable[[], object]:
        return lambda: diagnose(replay, GroundTruth(boxes, labels))

    return [Point(count, {"verdicts": verdicts(*scattered(count, 91))}) for count in counts]


def build_at(side: int, classes: int = 91, **settings: float) -> Detector:
    """The detector of the other benchmarks with an input of so many pixels."""
    return build(classes, min_size=side, max_size=2 * side, rpn_nms_thresh=0.95, **settings)


def calls_of(detector: Detector) -> dict[str, Callable[[], object]]:
    """Everything that is done with one image, none of it twice with the same question."""
    trace = capture(detector, image())
    replayer = Replayer(trace, detector)
    replay = replayer.replay()
    released = moving(trace.thresholds, score_of(replay.class_scores, len(replay.class_scores)))
    tighter = trace.thresholds.replace(rpn_nms=trace.thresholds.rpn_nms - 0.02)
    boxes, labels = scattered(OBJECTS, detector.num_classes)
    return {
        "capture": lambda: capture(detector, image()),
        "box replay": lambda: replayer.replay(next(released)),
        "RPN replay": lambda: Replayer(trace, detector).replay(tighter),
        "verdicts": lambda: diagnose(replay, GroundTruth(boxes, labels)),
    }


def score_of(class_scores: Tensor, slots: int) -> float:
    """The score that so many class slots, of all categories but the background, reach."""
    return float(class_scores[:, 1:].flatten().topk(slots).values[-1])


def by_images(counts: Sequence[int]) -> Iterator[Curve]:
    """A data set's diagnosis: its time, and its memory at the highest, both of the same runs."""
    detector, peaks = tiny(), [[] for _ in counts]
    diagnosed(detector, 2)  # what is loaded at the first time stays, and is no part of the growth

    def diagnosing(place: int) -> Callable[[], object]:
        return lambda: peaks[place].append(memory_of(lambda: diagnosed(detector, counts[place])).peak)

    seconds = in_turn([diagnosing(place) for place in range(len(counts))], rounds=1, warm=0)
    x, bytes_each = tuple(map(float, counts)), tuple(float(statistics.median(one)) for one in peaks)
    yield explained(Curve("data-set diagnosis", IMAGES, x, tuple(seconds)))
    yield Curve("its memory", IMAGES, x, bytes_each, "B", kept_for_each(x, bytes_each))


def diagnosed(detector: Detector, count: int) -> object:
    """The diagnosis of so many scenes, without remedies."""
    with tempfile.TemporaryDirectory() as folder:
        return diagnose_dataset(detector, ShapesDataset(count, 3, size=64), folder, remedies=False)


def tiny() -> Detector:
    """A pyramid with random weights that is quick enough for thousands of images."""
    torch.manual_seed(0)
    config = PyramidConfig(
        num_classes=len(ShapesDataset.categories), body="small", channels=8, hidden=12, min_size=64, max_size=64,
        rpn_pre_nms_top_n=100, rpn_post_nms_top_n=50, box_limit=20,
    )  # fmt: skip
    return Detector.wrap(build_pyramid(config).eval(), ShapesDataset.categories, name="tiny pyramid")


if __name__ == "__main__":
    run()
