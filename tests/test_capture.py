"""Looking shows what the model did, and leaves it as it was."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from support.models import (
    ARCHITECTURES,
    MovedBoxes,
    build_detector,
    random_image,
    shared_detector,
)
from support.oracles import model_state, run_model, same_state
from torch import Tensor, nn

from detector import Detector, GroundTruth, Trace, capture, recording
from detector.tracing.capture import capture_batch


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_capture_holds_the_models_own_tensors(name: str) -> None:
    detector, image = shared_detector(name), random_image(4)
    trace = capture(detector, image)
    output, proposals = run_model(detector, image, trace.thresholds)
    assert torch.equal(trace.detections.boxes, output["boxes"])
    assert torch.equal(trace.head.boxes, proposals)
    assert torch.equal(trace.input.pixels, (image * 255).round().to(torch.uint8))
    with torch.no_grad():
        images, _ = detector.model.transform([image])
        maps = detector.model.backbone(images.tensors)
        anchors = detector.model.rpn.anchor_generator(images, list(maps.values()))[0]
        features = detector.model.roi_heads.box_roi_pool(maps, [proposals], images.image_sizes)
        embedding = detector.model.roi_heads.box_head(features)
        logits, deltas = detector.model.roi_heads.box_predictor(embedding)
    assert torch.equal(trace.input.tensor, images.tensors[0])
    assert all(torch.equal(trace.backbone.pyramid[key], value[0]) for key, value in maps.items())
    assert torch.equal(trace.rpn.anchors, anchors)
    for kept, expected in (
        (trace.head.features, features),
        (trace.head.embedding, embedding),
        (trace.head.class_logits, logits),
        (trace.head.deltas, deltas),
    ):
        assert kept is not None
        assert torch.equal(kept, expected)
    assert trace.non_finite == () and trace.overwritten == ()


@pytest.mark.parametrize("name", ["maskrcnn_resnet50_fpn", "keypointrcnn_resnet50_fpn"])
def test_masks_and_keypoints_are_kept(name: str) -> None:
    trace = capture(shared_detector(name), random_image(4))
    found = trace.detections
    if name.startswith("mask"):
        assert found.mask_logits is not None and found.masks is not None
        assert found.mask_logits.shape == (len(found), 6, 28, 28)
        assert found.masks.shape == (len(found), 1, 96, 128)
    else:
        assert found.keypoint_logits is not None and found.keypoints is not None
        assert found.keypoint_logits.shape == (len(found), 17, 56, 56)
        assert found.keypoints.shape == (len(found), 17, 3)


def test_the_anchor_of_each_level_cell_and_kind() -> None:
    trace = capture(shared_detector("pyramid_per_class"), random_image())
    index = torch.arange(len(trace.rpn.anchors))
    cells = trace.rpn.cell_of(index)
    assert torch.equal(cells[:, 0], trace.rpn.level_of(index))
    size = trace.input.tensor.shape[-1]
    for level, (height, width, kinds) in enumerate(trace.rpn.grid):
        own = cells[cells[:, 0] == level]
        expected = torch.cartesian_prod(torch.arange(height), torch.arange(width), torch.arange(kinds))
        assert torch.equal(own[:, 1:], expected)
        stride = size / width
        boxes = trace.rpn.anchors[cells[:, 0] == level]
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        torch.testing.assert_close(centres, own[:, [2, 1]] * stride, atol=0.5, rtol=0)


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("training", [False, True])
def test_looking_leaves_no_mark(name: str, training: bool) -> None:
    detector = build_detector(name)
    detector.model.train(training)
    capture(detector, random_image())  # the first forward ever fills torchvision's own caches
    before = model_state(detector.model)
    capture(detector, random_image(1))
    assert same_state(before, model_state(detector.model))


class Boom(Exception):
    pass


def test_hooks_and_spies_are_gone_after_an_exception() -> None:
    detector = build_detector("pyramid_per_class")
    before = model_state(detector.model)

    def fail(*_: object) -> None:
        raise Boom

    handle = detector.model.roi_heads.box_head.register_forward_hook(fail)
    with pytest.raises(Boom):
        capture(detector, random_image())
    with pytest.raises(Boom), recording(detector) as recorder:
        detector.model([random_image()])
    handle.remove()
    assert recorder.traces == []
    assert same_state(before, model_state(detector.model))
    # The lock is free again: another thread can look.
    worker = threading.Thread(target=capture, args=(detector, random_image()), daemon=True)
    worker.start()
    worker.join(60)
    assert not worker.is_alive()


def test_two_threads_on_one_model_do_not_mix_their_images() -> None:
    detector = shared_detector("pyramid_per_class")
    expected = [capture(detector, random_image(seed)) for seed in range(4)]
    found: dict[int, Trace] = {}

    def look(seed: int) -> None:
        for _ in range(3):
            found[seed] = capture(detector, random_image(seed))

    threads = [threading.Thread(target=look, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, trace in enumerate(expected):
        assert torch.equal(found[seed].input.pixels, trace.input.pixels)
        assert torch.equal(found[seed].rpn.objectness, trace.rpn.objectness)


class OverwritingHead(nn.Module):
    """A predictor that writes into the embedding it is given."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.cls_score, self.inner = inner.cls_score, inner

    def forward(self, embedding: Tensor) -> tuple[Tensor, Tensor]:
        return self.inner(embedding.sub_(1).relu_())


def test_a_stage_that_is_written_in_place_is_copied_before() -> None:
    detector = build_detector("pyramid_per_class")
    plain = capture(detector, random_image())
    heads = detector.model.roi_heads
    heads.box_predictor = OverwritingHead(heads.box_predictor)
    trace = capture(detector, random_image())
    assert plain.head.embedding is not None and trace.head.embedding is not None
    assert torch.equal(trace.head.embedding, plain.head.embedding)
    assert not torch.equal(trace.head.class_logits, plain.head.class_logits)
    assert trace.overwritten == ()
    with recording(detector) as recorder, torch.no_grad():
        detector.model([random_image()])
        detector.model([random_image()])
    assert recorder.traces[0].overwritten == ("embedding",)
    assert recorder.traces[1].overwritten == ()
    assert recorder.traces[1].head.embedding is not None
    assert torch.equal(recorder.traces[1].head.embedding, plain.head.embedding)


def test_non_finite_stages_are_named_in_order() -> None:
    detector = build_detector("pyramid_per_class")
    with torch.no_grad():
        detector.model.roi_heads.box_predictor.cls_score.bias[2] = float("nan")
    assert capture(detector, random_image()).non_finite == ("class logits",)
    with torch.no_grad():
        detector.model.backbone.fpn.layer_blocks[0][0].bias[0] = float("inf")
    assert capture(detector, random_image()).non_finite[0] == "pyramid"


def test_a_filter_of_its_own_is_called_unfaithful() -> None:
    detector = build_detector("pyramid_per_class")
    detector.model.roi_heads.__class__ = MovedBoxes
    trace = capture(detector, random_image())
    assert not trace.faithful
    assert trace.detections.roi.unique().tolist() == [-1]
    assert torch.equal(trace.detections.boxes, detector.model([random_image()])[0]["boxes"])


def test_images_of_every_kind_give_the_same_trace() -> None:
    detector = shared_detector("pyramid_per_class")
    pixels = (random_image(8) * 255).round().to(torch.uint8)
    array = capture(detector, np.ascontiguousarray(pixels.permute(1, 2, 0).numpy()))
    tensor = capture(detector, pixels.float() / 255)
    assert torch.equal(array.detections.boxes, tensor.detections.boxes)


def test_targets_that_do_not_fit_are_refused() -> None:
    detector = shared_detector("pyramid_per_class")
    foreign = GroundTruth(torch.tensor([[1.0, 1, 9, 9]]), torch.tensor([6]))
    with pytest.raises(ValueError, match="category 6"):
        capture(detector, random_image(), foreign)
    with pytest.raises(TypeError, match="GeneralizedRCNN"):
        Detector.wrap(nn.Linear(2, 2))
    with pytest.raises(ValueError, match="category names"):
        Detector.wrap(detector.model, ["one"])


@pytest.mark.parametrize("size", [(1, 5000), (5000, 1), (1, 193)])
def test_an_image_whose_shorter_side_would_vanish_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="shorter side would vanish"):
        capture(shared_detector("pyramid_best_class"), torch.rand(3, *size))


def test_a_thin_image_and_a_single_pixel_are_looked_at() -> None:
    for size in ((1, 192), (1, 1)):
        trace = capture(shared_detector("pyramid_best_class"), torch.rand(3, *size))
        assert trace.faithful and trace.input.image_size == size


def test_a_batch_keeps_each_images_own_padding_out() -> None:
    detector = shared_detector("pyramid_best_class")
    small, large = capture_batch(detector, [random_image(0, (64, 64)), random_image(1, (96, 160))])
    assert small.input.tensor.shape == large.input.tensor.shape
    assert small.input.network_size == (128, 128)
    assert float(small.head.boxes.max()) <= 128
