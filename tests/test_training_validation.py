"""The validation of an epoch against the diagnosis of a data set and pycocotools."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.models import spread_outputs
from support.pyramids import TINY, seeded

from detector import Detector
from detector.data.shapes import ShapesDataset
from detector.explaining.rungs import Rung
from detector.judging.dataset_diagnosis import diagnose_dataset
from detector.training.validation import (
    AVERAGES,
    RUNGS,
    Validation,
    ValidationImageError,
    averages_of,
    check_monitor,
    survival,
)

DATASET = ShapesDataset(3, seed=5, size=96)


@pytest.fixture(scope="module")
def detector() -> Detector:
    config = replace(TINY, num_classes=len(DATASET.categories), detection_rule="per_class")
    model = seeded(config, 2).eval()
    with torch.random.fork_rng():
        torch.manual_seed(2)
        spread_outputs(model)
    return Detector.wrap(model, DATASET.categories)


class Missing(ShapesDataset):
    """A data set whose second image is gone."""

    def __getitem__(self, index: int):  # noqa: ANN204 - as the parent's
        if index == 1:
            raise FileNotFoundError(2, "No such file or directory", "scene.png")
        return super().__getitem__(index)


def test_validation_says_what_the_diagnosis_of_the_data_set_says(detector: Detector, tmp_path: Path) -> None:
    summary = diagnose_dataset(detector, DATASET, tmp_path / "run", remedies=False, recommend=False).summary
    validation = Validation(detector, DATASET)
    shares = [validation.share(rank, 2, lambda: None) for rank in (1, 0)]
    row = validation.row([*shares[0], *shares[1]], epoch=4, step=20, began=0.0)
    assert (row.epoch, row.step, row.objects) == (4, 20, summary.objects)
    for name in AVERAGES:
        assert getattr(row, name) == pytest.approx(getattr(summary.coco, name), abs=1e-9)
    assert row.recall == {fall.rung: fall.left / summary.objects for fall in summary.waterfall}
    assert list(row.recall.values())[-1] == pytest.approx(summary.found / summary.objects)


def test_the_model_is_as_it_was_and_so_is_chance(detector: Detector) -> None:
    model = detector.model
    model.train()
    model.backbone.eval()
    try:
        modes = [module.training for module in model.modules()]
        state = {name: value.clone() for name, value in model.state_dict().items()}
        chance, calls = torch.get_rng_state(), []
        Validation(detector, DATASET, limit=1).share(0, 1, lambda: calls.append(1))
        assert calls == [1]
        assert [module.training for module in model.modules()] == modes
        assert torch.equal(torch.get_rng_state(), chance)
        assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    finally:
        model.eval()


def test_survival_counts_who_is_left_after_each_rung() -> None:
    lost = Counter({"ANCHOR_FIT": 1, "RPN_NMS": 2, "ROI_CLASS": 3, "FOUND": 4})
    shares = survival(lost)
    assert tuple(shares) == RUNGS == tuple(rung.name for rung in Rung)[:-1]
    for rung, share in shares.items():
        alive = sum(count for name, count in lost.items() if Rung[name] > Rung[rung])
        assert share == alive / 10
    assert survival(Counter()) == {}


def test_no_image_has_no_average() -> None:
    assert averages_of([], 3) == (None,) * 6


def test_an_image_that_is_gone_is_named(detector: Detector) -> None:
    validation = Validation(detector, Missing(3, seed=5, size=96))
    with pytest.raises(ValidationImageError, match=r"the validation image image 1 .*scene\.png"):
        validation.share(0, 1, lambda: None)


def test_only_what_is_measured_can_be_the_monitor() -> None:
    for monitor in (*AVERAGES, "recall/RPN_NMS"):
        check_monitor(monitor)
    for monitor in ("loss", "recall/FOUND", "recall", "ap"):
        with pytest.raises(ValueError, match="expected AP, AP50"):
            check_monitor(monitor)
