"""What a data-set diagnosis says in the end: the records of `summary.json`.

Counts are objects unless a name says otherwise; AP is COCO's (pycocotools), None where there is nothing to
average over. Rungs are told by their names (`Rung[name]` gives the rung).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from detector.tracing.thresholds import Thresholds

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Fall:
    """One step of the waterfall: how many objects one rung lost, and how many are left below it."""

    rung: str
    lost: int
    left: int


@dataclass(frozen=True, slots=True)
class Group:
    """A part of the objects: how many there are, how many were found, and where the others fell."""

    objects: int
    found: int
    waterfall: tuple[Fall, ...]

    @property
    def recall(self) -> float | None:
        """Share of the objects that were found; None without objects."""
        return self.found / self.objects if self.objects else None


@dataclass(frozen=True, slots=True)
class CocoScores:
    """COCO's six averages: AP over IoU .50 to .95, at .50 and at .75, and by the object's size."""

    AP: float | None
    AP50: float | None
    AP75: float | None
    AP_small: float | None
    AP_medium: float | None
    AP_large: float | None


@dataclass(frozen=True, slots=True)
class OracleGain:
    """AP and AP50 if no object were lost at this rung; `gain` is what AP gains by it."""

    rung: str
    AP: float | None
    AP50: float | None
    gain: float


@dataclass(frozen=True, slots=True)
class TideShare:
    """Errors of one type (of TIDE), and what AP at the diagnosis' IoU gains if they were all put right."""

    count: int
    gain: float


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One change of one threshold, tried on the whole data set.

    Args:
        field: of `Thresholds`.
        before, after: its value.
        came_true, came_false: detections that come with the change, right and wrong ones.
        went_true, went_false: detections that go with it.
        AP_before, AP_after: on all images.
    """

    field: str
    before: float
    after: float
    came_true: int
    came_false: int
    went_true: int
    went_false: int
    AP_before: float | None
    AP_after: float | None

    @property
    def gain(self) -> float:
        """What AP gains (or, below 0, loses) by the change."""
        return (self.AP_after or 0.0) - (self.AP_before or 0.0)


@dataclass(frozen=True, slots=True)
class AnchorFit:
    """Anchors fitted to the objects, at the size that they have in the network's input.

    Args:
        sizes: sides in network pixels, one tuple per level, finest first.
        ratios: height / width.
        recall_before, recall_after: share of the objects that some anchor fits, with the model's anchors and
            with these.
    """

    sizes: tuple[tuple[float, ...], ...]
    ratios: tuple[float, ...]
    recall_before: float
    recall_after: float


@dataclass(frozen=True, slots=True)
class Problem:
    """An image that could not be used, and why, in one sentence; it counts nowhere else."""

    image_index: int
    image: str
    message: str


@dataclass(frozen=True, slots=True)
class Summary:
    """A whole data set in numbers.

    Args:
        model: name of the detector.
        dataset: what `open_dataset` opens it by, where there is such a text.
        thresholds: under which everything was judged.
        iou: the overlap that counts as found.
        images: how many were judged, without those in `problems`.
        objects, found: without crowd regions.
        waterfall: one step for each rung before FOUND, in order.
        by_size: COCO's small (below 32 x 32 px), medium and large (96 x 96 px and more), in the image frame.
        by_category: by name, in the data set's order.
        mechanisms: lost objects by the five mechanisms of Miller et al. 2022.
        tide: errors by type; see `detector.judging.tide`.
        coco: average precision of the detections that the thresholds let through.
        oracle: one for each rung that lost an object, in order; see `detector.judging.oracle`.
        recommendations: changes of one threshold that were tried, the largest gain first.
        anchors: better anchors, where they were looked for.
        seconds: of the run, all calls together.
        problems: images that could not be used.
        unfaithful: images on which a replay is not the model's own output (it overrides one of torchvision's
            filters): all numbers are those of the replay.
    """

    model: str
    dataset: str
    thresholds: Thresholds
    iou: float
    images: int
    objects: int
    found: int
    waterfall: tuple[Fall, ...]
    by_size: Mapping[str, Group]
    by_category: Mapping[str, Group]
    mechanisms: Mapping[str, int]
    tide: Mapping[str, TideShare]
    coco: CocoScores
    oracle: tuple[OracleGain, ...]
    recommendations: tuple[Recommendation, ...] = ()
    anchors: AnchorFit | None = None
    seconds: float = 0.0
    problems: tuple[Problem, ...] = field(default=())
    unfaithful: int = 0

    @property
    def caution(self) -> str:
        """What a reader must know before trusting the numbers, in one sentence; empty where there is nothing."""
        if not self.unfaithful:
            return ""
        return (
            f"On {self.unfaithful:,} of {self.images:,} images a replay is not this model's own output (it "
            "overrides one of torchvision's filters, or its numbers are not finite): all counts and averages are "
            "those of the replay."
        )

    def to_json(self) -> str:
        """The text of `summary.json`."""
        return json.dumps(asdict(self), indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Summary:
        """Read `summary.json`.

        Raises:
            ValueError: not the text of a summary.
        """
        try:
            return _summary(json.loads(text))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"this is not the summary of a data-set diagnosis ({error})") from error


def _summary(content: dict[str, Any]) -> Summary:
    anchors = content["anchors"]
    nested = {
        "thresholds": Thresholds(**content["thresholds"]),
        "waterfall": _falls(content["waterfall"]),
        "by_size": _groups(content["by_size"]),
        "by_category": _groups(content["by_category"]),
        "tide": {name: TideShare(**share) for name, share in content["tide"].items()},
        "coco": CocoScores(**content["coco"]),
        "oracle": tuple(OracleGain(**gain) for gain in content["oracle"]),
        "recommendations": tuple(Recommendation(**one) for one in content["recommendations"]),
        "anchors": None if anchors is None else _anchors(anchors),
        "problems": tuple(Problem(**problem) for problem in content["problems"]),
    }
    return Summary(**{**content, **nested})


def _falls(steps: list[dict[str, Any]]) -> tuple[Fall, ...]:
    return tuple(Fall(**step) for step in steps)


def _groups(groups: dict[str, Any]) -> dict[str, Group]:
    return {
        name: Group(group["objects"], group["found"], _falls(group["waterfall"]))
        for name, group in groups.items()
    }


def _anchors(content: dict[str, Any]) -> AnchorFit:
    sizes = tuple(tuple(level) for level in content["sizes"])
    return AnchorFit(sizes, tuple(content["ratios"]), content["recall_before"], content["recall_after"])
