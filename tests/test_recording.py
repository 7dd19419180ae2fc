"""Recording the caller's own forwards, training steps included, changes nothing in them."""

from __future__ import annotations

import copy
import threading

import pytest
import torch
from support.models import build_detector, random_image, random_truth, shared_detector, single_map_detector
from torch import Tensor, nn
from torchvision.ops import box_iou

from detector import GroundTruth, Replayer, diagnose, load_detector, recording
from detector.data import ShapesDataset


def train_step(model: nn.Module, images: list[Tensor], targets: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    torch.manual_seed(11)
    losses = model(images, targets)
    sum(losses.values()).backward()
    return losses


@pytest.mark.parametrize(
    "name", ["fasterrcnn_resnet50_fpn_v2", "pyramid_best_class", "maskrcnn_resnet50_fpn"]
)
def test_recording_a_training_step_changes_nothing_in_it(name: str) -> None:
    detector = build_detector(name)
    detector.model.train()
    twin = copy.deepcopy(detector.model)
    images = [random_image(1), random_image(2, (80, 96))]
    truths = [random_truth(1), random_truth(2, (80, 96), count=0)]
    targets = [truth.as_target() for truth in truths]
    for target, image in zip(targets, images, strict=True):
        target["masks"] = torch.zeros((len(target["labels"]), *image.shape[-2:]), dtype=torch.uint8)
    expected = train_step(twin, images, targets)
    random_after = torch.get_rng_state()
    with recording(detector) as recorder:
        losses = train_step(detector.model, images, targets)
    assert torch.equal(torch.get_rng_state(), random_after)
    assert all(torch.equal(losses[key], expected[key]) for key in expected)
    for mine, plain in zip(detector.model.parameters(), twin.parameters(), strict=True):
        assert (mine.grad is None and plain.grad is None) or torch.equal(mine.grad, plain.grad)
    for mine, plain in zip(detector.model.buffers(), twin.buffers(), strict=True):
        assert torch.equal(mine, plain)
    assert [(trace.mode, trace.image_index) for trace in recorder.traces] == [
        ("training", 0),
        ("training", 1),
    ]
    for trace, truth in zip(recorder.traces, truths, strict=True):
        assert trace.faithful and trace.training is not None and trace.ground_truth is not None
        assert torch.equal(trace.ground_truth.boxes, truth.boxes)
        assert not trace.head.class_logits.requires_grad
        assert trace.training.losses.rpn_cls == losses["loss_objectness"].item()
        assert trace.training.losses.fast_rcnn_bbox == losses["loss_box_reg"].item()
    for share, total in (("anchor_cls_loss", "rpn_cls"), ("anchor_bbox_loss", "rpn_bbox"),
                         ("roi_cls_loss", "fast_rcnn_cls"), ("roi_bbox_loss", "fast_rcnn_bbox")):  # fmt: skip
        parts = sum(float(getattr(trace.training, share).sum()) for trace in recorder.traces)
        assert parts == pytest.approx(getattr(recorder.traces[0].training.losses, total), rel=1e-4, abs=1e-7)


def test_recording_stops_at_its_limit_and_hears_only_its_own_thread() -> None:
    detector = shared_detector("pyramid_per_class")
    with recording(detector, limit=3) as recorder, torch.no_grad():
        other = threading.Thread(target=detector.model, args=([random_image(9)],))
        other.start()
        other.join()
        for seed in range(2):
            detector.model([random_image(seed), random_image(seed + 5)])
        detector.model([random_image()])
    assert len(recorder.traces) == 3


def test_recording_takes_a_bare_model_in_inference_mode() -> None:
    detector = single_map_detector()
    with recording(detector.model, ["square", "disc", "ring"]) as recorder, torch.inference_mode():
        output = detector.model([random_image()])[0]
        output["boxes"].zero_()  # what the caller does with its result is not the trace's business
    assert recorder.traces[0].faithful
    assert recorder.traces[0].categories == ("background", "square", "disc", "ring")
    assert recorder.traces[0].detections.boxes.any()


def test_a_copy_of_the_model_made_while_recording_works_alone() -> None:
    """As an exponential moving average of the weights is kept."""
    detector = build_detector("pyramid_per_class")
    with recording(detector) as recorder, torch.no_grad():
        twin = copy.deepcopy(detector.model)
        expected = detector.model([random_image()])[0]
        found = twin([random_image()])[0]
    assert len(recorder.traces) == 1
    assert torch.equal(found["boxes"], expected["boxes"])
    assert type(twin.rpn.proposal_matcher) is type(detector.model.rpn.proposal_matcher)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_what_was_recorded_in_mixed_precision_is_diagnosed(kind: torch.dtype) -> None:
    detector = load_detector("shapes")
    pixels, target = ShapesDataset(1, 3)[0]
    with torch.no_grad(), torch.autocast("cpu", dtype=kind), recording(detector) as recorder:
        output = detector.model([pixels / 255])[0]
    (trace,) = recorder.traces
    assert trace.rpn.deltas.dtype is kind
    diagnosis = diagnose(Replayer(trace, detector), GroundTruth(target["boxes"], target["labels"]))
    assert len(diagnosis.verdicts) == len(target["boxes"])
    overlaps = box_iou(target["boxes"], output["boxes"].float()) >= 0.5
    found = (overlaps & (target["labels"][:, None] == output["labels"])).any(dim=1)
    assert [verdict.rung.name == "FOUND" for verdict in diagnosis.verdicts] == found.tolist()
