"""The training-time view equals what the model computes in training mode under the same seed."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from support.models import build_detector, random_image, random_truth, shared_detector
from support.oracles import iou, model_state, same_state

from detector import Detector, GroundTruth, Trace, capture
from detector.tracing.samples import TrainingView
from detector.tracing.sampling import training_view

NAMES = (
    "pyramid_best_class",
    "fasterrcnn_resnet50_fpn_v2",
    "maskrcnn_resnet50_fpn",
    "keypointrcnn_resnet50_fpn",
)


def view_of(name: str, seed: int) -> tuple[Detector, Trace, TrainingView]:
    detector = shared_detector(name)
    trace = capture(detector, random_image(seed), random_truth(seed))
    return detector, trace, training_view(detector, trace, seed)


@pytest.mark.parametrize("name", NAMES)
def test_losses_equal_a_real_training_forward(name: str) -> None:
    for seed in range(2):
        detector, trace, view = view_of(name, seed)
        twin = copy.deepcopy(detector.model).train()
        target = random_truth(seed).as_target()
        target["masks"] = torch.zeros((len(target["labels"]), 96, 128), dtype=torch.uint8)
        target["keypoints"] = torch.zeros((len(target["labels"]), 17, 3))
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(seed)
            losses = twin([trace.input.pixels.float() / 255], [target])
        assert view.losses.rpn_cls == losses["loss_objectness"].item()
        assert view.losses.rpn_bbox == losses["loss_rpn_box_reg"].item()
        assert view.losses.fast_rcnn_cls == losses["loss_classifier"].item()
        assert view.losses.fast_rcnn_bbox == losses["loss_box_reg"].item()


@pytest.mark.parametrize("name", NAMES)
def test_the_shares_of_each_anchor_and_roi_add_up_to_the_losses(name: str) -> None:
    _, _, view = view_of(name, 1)
    assert float(view.anchor_cls_loss.sum()) == pytest.approx(view.losses.rpn_cls, rel=1e-5)
    assert float(view.anchor_bbox_loss.sum()) == pytest.approx(view.losses.rpn_bbox, rel=1e-5)
    assert float(view.roi_cls_loss.sum()) == pytest.approx(view.losses.fast_rcnn_cls, rel=1e-5)
    assert float(view.roi_bbox_loss.sum()) == pytest.approx(view.losses.fast_rcnn_bbox, rel=1e-5)


def test_anchor_labels_follow_the_rule_of_the_paper() -> None:
    """Ren et al. 2015, section 3.1.2: IoU >= 0.7 or the best of an object is positive, < 0.3 negative."""
    for seed in range(3):
        _, trace, view = view_of("pyramid_best_class", seed)
        assert trace.ground_truth is not None
        objects = trace.to_network(trace.ground_truth.boxes)
        overlaps = torch.tensor([[iou(anchor, box) for box in objects] for anchor in trace.rpn.anchors])
        best, labels = overlaps.max(dim=1), view.anchors.labels
        champions = (overlaps == overlaps.max(dim=0).values).any(dim=1)
        sure = (best.values - 0.7).abs() > 1e-5
        assert bool((labels[(best.values >= 0.7) & sure] == 1).all())
        assert bool((labels[(best.values < 0.3) & ~champions] == 0).all())
        between = (best.values > 0.30001) & (best.values < 0.69999) & ~champions
        plain = labels[between] != 1
        assert bool((labels[between][plain] == -1).all())
        rescued = view.anchors.rescued
        assert bool((labels[rescued] == 1).all()) and bool((best.values[rescued] < 0.7).all())
        assert int(rescued.sum()) > 0
        positive = labels == 1
        assert torch.equal(view.anchors.matched[positive & ~rescued], best.indices[positive & ~rescued])
        assert bool((view.anchors.matched[~positive] == -1).all())


def test_samples_are_drawn_from_their_labels_and_redrawn_by_seed() -> None:
    detector, trace, view = view_of("pyramid_best_class", 0)
    labels = view.anchors.labels
    assert bool((labels[view.anchors.positives] == 1).all())
    assert bool((labels[view.anchors.negatives] == 0).all())
    assert len(view.anchors.positives) + len(view.anchors.negatives) == 256
    again, other = training_view(detector, trace, 0), training_view(detector, trace, 1)
    assert torch.equal(again.anchors.negatives, view.anchors.negatives)
    assert not torch.equal(other.anchors.negatives, view.anchors.negatives)


def test_targets_decode_to_the_matched_objects() -> None:
    for name in ("pyramid_best_class", "fasterrcnn_resnet50_fpn_v2"):
        _, trace, view = view_of(name, 2)
        assert trace.ground_truth is not None
        objects = trace.to_network(trace.ground_truth.boxes)
        positive = view.anchors.labels == 1
        boxes = trace.rules.rpn_coder.decode_single(
            view.anchors.targets[positive], trace.rpn.anchors[positive]
        )
        torch.testing.assert_close(boxes, objects[view.anchors.matched[positive]], atol=1e-2, rtol=0)
        chosen = view.rois.labels > 0
        boxes = trace.rules.box_coder.decode_single(view.rois.targets[chosen], view.rois.boxes[chosen])
        torch.testing.assert_close(boxes, objects[view.rois.matched[chosen]], atol=1e-2, rtol=0)
        assert torch.equal(view.rois.labels[chosen], trace.ground_truth.labels[view.rois.matched[chosen]])


def test_ground_truth_is_added_as_roi_and_each_roi_pays_its_own_class() -> None:
    _, trace, view = view_of("pyramid_best_class", 1)
    assert trace.ground_truth is not None
    objects = trace.to_network(trace.ground_truth.boxes)
    added = view.rois.boxes[view.rois.is_object]
    assert len(added) == len(objects)
    assert {tuple(box) for box in added.tolist()} == {tuple(box) for box in objects.tolist()}
    own = -F.log_softmax(view.rois.class_logits.double(), 1)[
        torch.arange(len(view.rois.labels)), view.rois.labels
    ]
    torch.testing.assert_close(view.roi_cls_loss.double(), own / len(own), atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("name", ["fasterrcnn_resnet50_fpn_v2", "pyramid_best_class"])
def test_the_view_leaves_the_model_as_it_was(name: str) -> None:
    """A training forward of these models updates BatchNorm's running statistics."""
    detector = build_detector(name)
    trace = capture(detector, random_image(), random_truth())
    before = model_state(detector.model)
    training_view(detector, trace, 3)
    assert same_state(before, model_state(detector.model))


def test_crowd_regions_are_left_out_and_indices_stay_those_of_the_file() -> None:
    detector = shared_detector("pyramid_best_class")
    truth = random_truth(3)
    crowd = GroundTruth(truth.boxes, truth.labels, crowd=torch.tensor([True, False, True, False]))
    view = training_view(detector, capture(detector, random_image(3), crowd), 0)
    assert set(view.anchors.matched[view.anchors.matched >= 0].tolist()) <= {1, 3}
    assert int(view.rois.is_object.sum()) == 2


def test_an_image_without_objects_has_only_negatives() -> None:
    detector = shared_detector("pyramid_best_class")
    view = training_view(detector, capture(detector, random_image(), random_truth(count=0)), 0)
    assert view.losses.rpn_bbox == 0
    assert len(view.anchors.positives) == 0 and not view.rois.is_object.any()


def test_without_ground_truth_the_view_is_refused() -> None:
    detector = shared_detector("pyramid_best_class")
    with pytest.raises(ValueError, match="no ground truth"):
        training_view(detector, capture(detector, random_image()), 0)
