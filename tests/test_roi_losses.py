"""Losses of single RoIs: their means are the losses of a real training forward; and where the RoIs came from."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from support.models import random_image, random_truth, shared_detector

from detector import GroundTruth, Trace, capture
from detector.tracing.projection import principal_plane
from detector.tracing.roi_losses import own_deltas, roi_confusion, roi_losses
from detector.tracing.roi_origins import roi_origins
from detector.tracing.samples import RoiSamples
from detector.tracing.sampling import training_trace

NAMES = ("pyramid_best_class", "fasterrcnn_mobilenet_v3_large_fpn")


def step(name: str, seed: int, truth: GroundTruth | None = None) -> tuple[Trace, RoiSamples]:
    detector = shared_detector(name)
    image = capture(detector, random_image(seed), truth or random_truth(seed))
    trace = training_trace(detector, image, seed)
    assert trace.training is not None
    return trace, trace.training.rois


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", NAMES)
def test_their_means_are_the_losses_of_a_real_training_forward(name: str, seed: int) -> None:
    trace, rois = step(name, seed)
    twin = copy.deepcopy(shared_detector(name).model).train()
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        losses = twin([trace.input.pixels.float() / 255], [random_truth(seed).as_target()])
    found = roi_losses(rois)
    assert float(found.cls.mean()) == pytest.approx(losses["loss_classifier"].item(), rel=1e-5)
    assert float(found.box.mean()) == pytest.approx(losses["loss_box_reg"].item(), rel=1e-5)
    assert float(found.box.sum()) > 0


@pytest.mark.parametrize("name", NAMES)
def test_each_roi_pays_for_its_own_category_alone(name: str) -> None:
    _, rois = step(name, 4)
    found, own = roi_losses(rois), own_deltas(rois)
    for row, label in enumerate(rois.labels.tolist()):
        logits = rois.class_logits[row].double()
        expected = math.log(float((logits - logits.max()).exp().sum())) + float(logits.max() - logits[label])
        assert float(found.cls[row]) == pytest.approx(expected, abs=1e-4, rel=1e-4)
        deltas = rois.deltas[row].tolist()
        start = 4 * label if len(deltas) > 4 else 0
        assert own[row].tolist() == deltas[start : start + 4]
        paid = 0.0
        for predicted, target in zip(deltas[start : start + 4], rois.targets[row].tolist(), strict=True):
            gap = abs(predicted - target)
            paid += 4.5 * gap * gap if gap < 1 / 9 else gap - 1 / 18
        assert float(found.box[row]) == pytest.approx(paid if label else 0.0, abs=1e-4, rel=1e-4)
        assert found.error[row].abs().sum() > 0 if label else not found.error[row].any()


def test_the_confusion_counts_every_roi_once() -> None:
    _, rois = step("pyramid_best_class", 1)
    found = roi_confusion(rois)
    slow = torch.zeros_like(found)
    for label, logits in zip(rois.labels.tolist(), rois.class_logits, strict=True):
        slow[label, int(logits.argmax())] += 1
    assert torch.equal(found, slow)
    assert int(found.sum()) == len(rois.labels)


@pytest.mark.parametrize("name", NAMES)
def test_origins_are_the_anchor_of_each_roi_or_the_object_itself(name: str) -> None:
    truth = random_truth(3)
    truth = GroundTruth(truth.boxes, truth.labels, crowd=torch.tensor([True, False, False, False]))
    trace, rois = step(name, 3, truth)
    found = roi_origins(trace)
    objects = trace.to_network(truth.boxes)
    decoded = trace.rules.rpn_coder.decode(trace.rpn.deltas, [trace.rpn.anchors]).reshape(-1, 4)
    height, width = trace.input.network_size
    for row in range(len(rois.boxes)):
        anchor, index = int(found.anchor[row]), int(found.object[row])
        assert (anchor < 0) == bool(rois.is_object[row]) == (index >= 0)
        box = objects[index] if index >= 0 else decoded[anchor]
        clipped = box.clamp(min=0).minimum(torch.tensor([width, height, width, height]))
        torch.testing.assert_close(rois.boxes[row], clipped)
    assert set(found.object[rois.is_object].tolist()) == {1, 2, 3}


def test_origins_of_an_inference_are_refused() -> None:
    with pytest.raises(ValueError, match="no training samples"):
        roi_origins(capture(shared_detector("pyramid_best_class"), random_image()))


@pytest.mark.parametrize("shape", [(40, 12), (5, 30), (200, 2), (90, 160), (150, 64)])
def test_the_plane_is_that_of_the_two_largest_variances(shape: tuple[int, int]) -> None:
    values = (
        torch.randn(shape, generator=torch.Generator().manual_seed(1)) * 10 * 0.8 ** torch.arange(shape[1])
    )
    found = principal_plane(values + 100)
    variances, axes = np.linalg.eigh(np.cov(values.double().numpy().T, bias=True))
    assert found.shares == pytest.approx((variances[::-1][:2] / variances.sum()).tolist(), rel=1e-3)
    centred = values.double().numpy() - values.double().numpy().mean(axis=0)
    for axis in range(2):
        expected = centred @ axes[:, -1 - axis]
        # An axis has no direction of its own.
        assert abs(np.corrcoef(expected, found.points[:, axis].numpy())[0, 1]) == pytest.approx(1, abs=1e-4)
        assert found.points[:, axis].square().mean() == pytest.approx(variances[-1 - axis], rel=1e-3)


@pytest.mark.parametrize("shape", [(0, 8), (1, 8), (6, 1)])
def test_too_little_for_a_plane_is_zero_and_not_an_error(shape: tuple[int, int]) -> None:
    found = principal_plane(torch.ones(shape))
    assert found.points.shape == (shape[0], 2)
    assert not found.points.any() and found.shares == (0, 0)
