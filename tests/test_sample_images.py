"""The bundled scenes: the very scenes that their README names, with something in them to debug."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from detector.data import CocoDataset, ShapesDataset
from detector.models.zoo import load_detector
from detector.training.sample_scenes import CHOSEN, WORLD_SEED, Looked, look, readme

FOLDER = Path(__file__).parents[1] / "sample_images"


@pytest.fixture(scope="module")
def looks() -> list[Looked]:
    detector, world = load_detector("shapes"), ShapesDataset(max(CHOSEN) + 1, seed=WORLD_SEED)
    return [look(detector, world, index) for index in CHOSEN]


def test_the_files_are_the_chosen_scenes() -> None:
    bundled, world = CocoDataset(FOLDER), ShapesDataset(max(CHOSEN) + 1, seed=WORLD_SEED)
    assert len(bundled) == len(CHOSEN) == 12
    for position, index in enumerate(CHOSEN):
        (pixels, target), (expected, truth) = bundled[position], world[index]
        assert bundled.image_path(position).name == f"scene_{position:02d}.png"
        assert torch.equal(target["boxes"], truth["boxes"])
        assert torch.equal(target["labels"], truth["labels"])
        # Another version of OpenCV may round a pixel differently.
        assert float((pixels.int() - expected.int()).abs().float().mean()) < 0.5


def test_objects_are_lost_at_different_stages(looks: list[Looked]) -> None:
    lost = [verdict.rung for one in looks for verdict in one.diagnosis.lost]
    assert len(lost) >= 5
    assert len(set(lost)) >= 5
    assert 3 <= sum(len(one.diagnosis.false_detections) for one in looks) <= 30


def test_the_first_scene_explains_itself(looks: list[Looked]) -> None:
    first = looks[0]
    assert len(first.diagnosis.lost) == 1
    assert len(first.truth) - 1 >= 3


def test_the_readme_says_what_is_lost(looks: list[Looked]) -> None:
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == readme(looks, ShapesDataset.categories)
