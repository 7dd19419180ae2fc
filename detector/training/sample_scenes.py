"""The bundled scenes: `python -m detector.training.sample_scenes --out sample_images`.

Twelve scenes of a world that the bundled detector was not trained on, picked by hand from the table that
`--survey` prints: objects lost at different stages, false positives, and enough found around them. What is
written into the folder's README is measured anew with the detector's present weights.
"""

from __future__ import annotations

import argparse
import shutil
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from detector.data.coco_export import write_coco
from detector.data.datasets import ground_truth_of
from detector.data.ground_truth import GroundTruth
from detector.data.shapes import ShapesDataset
from detector.explaining.ladder import diagnose
from detector.explaining.verdicts import Diagnosis
from detector.models.detector import Detector
from detector.models.zoo import load_detector
from detector.tracing.capture import capture
from detector.tracing.replay import Replayer

WORLD_SEED = 2026
# The first one opens the app.
CHOSEN = (103, 232, 178, 73, 35, 26, 163, 85, 154, 115, 68, 213)


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """One scene, what it holds, and what became of each object at the detector's own thresholds."""

    index: int
    truth: GroundTruth
    hardness: dict[str, list[float]]
    diagnosis: Diagnosis

    def lost(self, categories: tuple[str, ...]) -> list[str]:
        """One phrase for each lost object, in the order of the objects."""
        return [
            f"{categories[int(self.truth.labels[v.object])]} at {_whole(self.truth.boxes[v.object])} "
            f"({self._why_hard(v.object)}): {v.rung.name}, {v.reason}"
            for v in self.diagnosis.lost
        ]

    def false_positives(self, categories: tuple[str, ...]) -> list[str]:
        """One phrase for each detection that matches nothing."""
        replay = self.diagnosis.replay
        return [
            f"{categories[int(replay.labels[k])]} {float(replay.scores[k]):.2f} at {_whole(replay.boxes[k])}"
            for k in self.diagnosis.false_detections
        ]

    def _why_hard(self, index: int) -> str:
        of = {name: values[index] for name, values in self.hardness.items()}
        x1, y1, x2, y2 = self.truth.boxes[index].tolist()
        reasons = [f"{of['covered']:.0%} covered"] if of["covered"] >= 0.2 else []
        reasons += [f"{of['visible']:.0%} of it in sight"] if of["visible"] < 0.8 and not reasons else []
        reasons += [f"contrast {of['contrast']:.2f}"] if of["contrast"] < 0.14 else []
        reasons += [f"{x2 - x1:.0f}x{y2 - y1:.0f} px"] if max(x2 - x1, y2 - y1) < 20 else []
        return ", ".join(reasons) or "mostly in sight"


def _whole(box: Tensor) -> str:
    return "(" + ", ".join(f"{value:.0f}" for value in box.tolist()) + ")"


def look(detector: Detector, world: ShapesDataset, index: int) -> Looked:
    """Run the detector on one scene and ask where each object was lost."""
    pixels, target = world[index]
    truth = ground_truth_of(target)
    trace = capture(detector, pixels, target=truth)
    hardness = {name: target[name].tolist() for name in ("visible", "covered", "contrast")}
    return Looked(index, truth, hardness, diagnose(Replayer(trace, detector), truth))


def write_samples(folder: Path, chosen: Iterable[int] = CHOSEN) -> None:
    """Write the chosen scenes, their annotations and the README into `folder`, replacing what is there."""
    chosen = tuple(chosen)
    world, detector = ShapesDataset(max(chosen) + 1, seed=WORLD_SEED), load_detector("shapes")
    fresh = folder.absolute().with_name(f".{uuid.uuid4().hex}.new")
    old = fresh.with_suffix(".old")
    try:
        write_coco(world, fresh, indices=chosen, names="scene_{:02d}.png")
        looks = [look(detector, world, index) for index in chosen]
        (fresh / "README.md").write_text(readme(looks, world.categories), encoding="utf-8")
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)


def readme(looks: list[Looked], categories: tuple[str, ...]) -> str:
    """What the folder holds, how each scene was made, and what the detector does with it."""
    lost = sum(len(one.diagnosis.lost) for one in looks)
    false = sum(len(one.diagnosis.false_detections) for one in looks)
    objects = sum(len(one.truth) for one in looks)
    lines = [
        "# Sample images",
        "",
        f"{len(looks)} scenes of 256x256 px with {objects} objects in `annotations.json` (COCO: boxes of the",
        "visible part, and of every object its visible share, covered share, contrast and size). Each scene is",
        f"`ShapesDataset(length, seed={WORLD_SEED})[index]`, of a world that the bundled detector never saw.",
        "They were picked because something goes wrong in them: at its own thresholds and IoU 0.5 the detector",
        f"loses {lost} of the objects and reports {false} false positives.",
        "",
        "`python -m detector.training.sample_scenes --out sample_images` writes this folder again.",
        "",
    ]
    for position, one in enumerate(looks):
        found = len(one.truth) - len(one.diagnosis.lost)
        lines += [
            f"## scene_{position:02d}.png",
            "",
            f"Index {one.index}; {found} of {len(one.truth)} found.",
            "",
        ]
        lines += [f"- lost: {phrase}" for phrase in one.lost(categories)]
        lines += [f"- false positive: {phrase}" for phrase in one.false_positives(categories)]
        lines += [""]
    return "\n".join(lines).rstrip() + "\n"


def survey(count: int) -> None:
    """Print for each of the first scenes of the world what is lost in it, and where."""
    world, detector = ShapesDataset(count, seed=WORLD_SEED), load_detector("shapes")
    for index in range(count):
        one = look(detector, world, index)
        parts = one.lost(world.categories) + ["FALSE " + f for f in one.false_positives(world.categories)]
        if parts:
            print(f"{index}: {len(one.truth)} objects; " + "; ".join(parts))


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--out", type=Path, help="folder to write")
    choice.add_argument("--survey", type=int, metavar="N", help="print what is lost in the first N scenes")
    given = parser.parse_args()
    if given.survey:
        survey(given.survey)
    else:
        write_samples(given.out)


if __name__ == "__main__":
    main()
