"""The bundled detector: what its file says, that it was made by this recipe, and that it really detects."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest
import safetensors
import torch
from torch import Tensor, nn
from torchvision.ops import box_iou

from detector.data import ShapesDataset
from detector.data.sealed import checksum
from detector.models.detector import Detector
from detector.models.pyramid import PyramidConfig, PyramidDetector
from detector.models.zoo import load_detector
from detector.training.shapes_evaluation import evaluate
from detector.training.shapes_recipe import CONFIG, WEIGHTS, Recipe, batches_of, build_for_training

SCENES = 40


@pytest.fixture(scope="module")
def bundled() -> Detector:
    return load_detector("shapes")


@pytest.fixture(scope="module")
def header() -> dict[str, str]:
    with safetensors.safe_open(WEIGHTS, "pt") as file:
        return file.metadata()


def test_the_file_is_small_and_says_what_it_holds(header: dict[str, str]) -> None:
    assert WEIGHTS.stat().st_size <= 8 * 1024 * 1024
    assert header["family"] == "pyramid"
    config = PyramidConfig.from_dict(json.loads(header["config"]))
    assert config == CONFIG
    assert tuple(json.loads(header["categories"])) == ShapesDataset.categories
    metadata = json.loads(header["metadata"])
    assert metadata["recipe"] == json.loads(json.dumps(dataclasses.asdict(Recipe())))
    assert metadata["seed"] == metadata["recipe"]["model_seed"]
    assert metadata["metrics"]["scenes"] == 500


def test_the_checksum_is_over_tensors_and_header(header: dict[str, str]) -> None:
    with safetensors.safe_open(WEIGHTS, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    assert header["sha256"] == checksum(tensors, header)
    name = next(iter(tensors))
    tensors[name] = tensors[name].clone()
    tensors[name].view(-1)[0] += 1
    assert header["sha256"] != checksum(tensors, header)


def test_measured_figures_reach_the_aims(header: dict[str, str]) -> None:
    metrics = json.loads(header["metadata"])["metrics"]
    assert metrics["AP"] >= 0.70
    assert 0.90 <= metrics["AP50"] <= 0.98, "above that the world is too easy to debug in"


def test_it_detects_in_scenes_it_never_saw(bundled: Detector) -> None:
    """Below the measured figures, because forty scenes scatter."""
    metrics = evaluate(bundled.model, ShapesDataset(SCENES, seed=31_415))
    assert metrics["AP"] > 0.64
    assert metrics["AP50"] > 0.85
    assert all(value > 0.70 for value in metrics["AP50_by_category"].values())


class _Answers(nn.Module):
    """A detector that knows the objects; `spoil` changes what it says."""

    def __init__(self, scenes: ShapesDataset, *, shift: float = 0.0, wrong_labels: bool = False) -> None:
        super().__init__()
        self.targets = [target for _, target in scenes]
        self.shift, self.wrong_labels, self.position = shift, wrong_labels, 0

    def forward(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        found = []
        for _ in images:
            target = self.targets[self.position]
            self.position += 1
            boxes, labels = target["boxes"].as_subclass(Tensor), target["labels"]
            width = boxes[:, 2:3] - boxes[:, :1]
            boxes = boxes + width * torch.tensor([self.shift, 0.0, self.shift, 0.0])
            labels = labels % 6 + 1 if self.wrong_labels else labels
            found.append({"boxes": boxes, "labels": labels, "scores": torch.linspace(0.9, 0.8, len(labels))})
        return found


def test_evaluation_of_perfect_and_of_spoilt_answers() -> None:
    scenes = ShapesDataset(20, seed=5)
    perfect = evaluate(_Answers(scenes), scenes)
    assert perfect["AP"] == 1.0
    assert perfect["recall50"] == 1.0
    assert perfect["objects"] == sum(len(target["labels"]) for _, target in scenes)
    assert evaluate(_Answers(scenes, wrong_labels=True), scenes)["AP50"] < 0.1
    # A shift by a fifth of the width leaves an IoU of 0.8 / 1.2 = 0.667: right up to the threshold 0.65.
    shifted = evaluate(_Answers(scenes, shift=0.2), scenes)
    assert shifted["AP50"] == 1.0
    assert shifted["AP"] == pytest.approx(0.4, abs=0.02)
    assert shifted["AP75"] < 0.05


def test_recall_by_a_slow_loop(bundled: Detector) -> None:
    scenes = ShapesDataset(12, seed=99)
    hits: dict[int, list[bool]] = {}
    for pixels, target in scenes:
        with torch.inference_mode():
            found = bundled.model([pixels.float() / 255])[0]
        taken: set[int] = set()
        overlap = box_iou(found["boxes"], target["boxes"].as_subclass(Tensor))
        best_of: dict[int, int] = {}
        for k in range(len(found["labels"])):
            rows = [
                (float(overlap[k, g]), g)
                for g in range(len(target["labels"]))
                if g not in taken and target["labels"][g] == found["labels"][k] and overlap[k, g] >= 0.5
            ]
            if rows:
                best_of[k] = max(rows)[1]
                taken.add(best_of[k])
        for g, label in enumerate(target["labels"].tolist()):
            hits.setdefault(label, []).append(g in taken)
    expected = sum(sum(v) / len(v) for v in hits.values()) / len(hits)
    assert evaluate(bundled.model, scenes)["recall50"] == pytest.approx(expected, abs=1e-3)


def test_the_learning_rate_warms_up_and_then_falls() -> None:
    recipe = Recipe(phases=((60, 64), (40, 96)), warmup_steps=10, lr=1.0)
    rates = [recipe.lr_at(step) for step in range(100)]
    assert rates[:10] == pytest.approx([(k + 1) / 10 for k in range(10)])
    assert rates[10] == pytest.approx(1.0)
    assert rates[55] == pytest.approx(0.5 * (1 + math.cos(math.pi / 2)))
    assert rates[10:] == sorted(set(rates[10:]), reverse=True)
    assert rates[-1] < 0.001


def test_training_batches_and_weights_are_the_same_every_time() -> None:
    recipe = Recipe(phases=((1, 64), (1, 96)), batch_size=2)
    first, second = (list(batches_of(recipe)) for _ in range(2))
    assert [batch.images[0].shape[-1] for batch in first] == [64, 96]
    for batch, again in zip(first, second, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(batch.images, again.images, strict=True))
        assert all(
            torch.equal(a["boxes"], b["boxes"]) for a, b in zip(batch.targets, again.targets, strict=True)
        )
    one, other = (build_for_training(recipe) for _ in range(2))
    assert isinstance(one, PyramidDetector)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_metadata_is_plain_json(header: dict[str, Any]) -> None:
    json.loads(header["metadata"], parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
