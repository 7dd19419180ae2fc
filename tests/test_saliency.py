"""Saliency is the gradient of the very logit it names, hangs on the weights, and leaves the model as it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.models import build_detector, random_image, shared_detector, single_map_detector
from support.oracles import model_state, same_state
from torch import Tensor, nn

from detector import Detector, Replay, Replayer, Trace, capture, load_detector, recording
from detector.explaining.logits import AnyLogit, ClassLogit, ObjectnessLogit
from detector.explaining.saliency import class_saliency, objectness_saliency, saliency_of

SCENES = sorted((Path(__file__).parents[1] / "sample_images").glob("*.png"))[:3]
MODELS = ("pyramid_per_class", "fasterrcnn_mobilenet_v3_large_fpn", "single map")
DRAWN = torch.tensor([21.5, 14.0, 88.0, 71.25])  # a box of no proposal, network frame


def detector_of(name: str) -> Detector:
    return single_map_detector() if name == "single map" else build_detector(name)


def asked_anchor(trace: Trace) -> int:
    """An anchor of the coarsest level: on a torchvision pyramid that one is pooled from the level before."""
    return len(trace.rpn.anchors) - 3


def oracle(detector: Detector, trace: Trace, about: AnyLogit, inputs: Tensor) -> float:
    """The logit as torchvision's own code computes it: RPN and RoI heads run whole, overheard by a hook."""
    model, size = detector.model, trace.input.network_size
    listened = model.rpn.head if isinstance(about, ObjectnessLogit) else model.roi_heads.box_predictor
    heard: list[Tensor] = []
    handle = listened.register_forward_hook(lambda _m, _a, output: heard.append(output[0]))
    try:
        with torch.no_grad():
            maps = model.backbone(inputs[None])
            maps = {"0": maps} if isinstance(maps, Tensor) else maps
            if isinstance(about, ObjectnessLogit):
                model.rpn.head(list(maps.values()))
                flat = torch.cat([score[0].permute(1, 2, 0).flatten() for score in heard[0]])
                return float(flat[about.anchor])
            model.roi_heads(maps, [about.box[None].to(inputs)], [size])
            return float(heard[0][0, about.label])
    finally:
        handle.remove()


@pytest.mark.parametrize("name", MODELS)
def test_the_gradient_to_the_image_is_that_of_finite_differences(name: str) -> None:
    detector = detector_of(name)
    trace = capture(detector, random_image(3))
    detector.model.double()
    pixels = trace.input.tensor.double()
    for about in (ClassLogit(DRAWN, 2), ObjectnessLogit(asked_anchor(trace))):
        found = saliency_of(detector, trace, about)
        assert found.image.shape == trace.input.network_size
        assert found.value == pytest.approx(oracle(detector, trace, about, pixels), abs=1e-9)
        best = int(found.image.argmax())
        for place in (best, 777):
            y, x = divmod(place, found.image.shape[1])
            slopes = []
            for channel in range(3):
                ends = []
                for step in (1e-6, -1e-6):
                    moved = pixels.clone()
                    moved[channel, y, x] += step
                    ends.append(oracle(detector, trace, about, moved))
                slopes.append(abs(ends[0] - ends[1]) / 2e-6)
            tolerance = 1e-4 * float(found.image.max())
            assert float(found.image[y, x]) == pytest.approx(max(slopes), rel=1e-3, abs=tolerance)


@pytest.mark.parametrize("name", MODELS)
def test_a_cell_adds_what_scaling_it_moves_the_logit_by(name: str) -> None:
    detector = detector_of(name)
    trace = capture(detector, random_image(3))
    detector.model.double()
    with torch.no_grad():
        maps = detector.model.backbone(trace.input.tensor.double()[None])
    maps = {"0": maps} if isinstance(maps, Tensor) else maps
    for about in (ClassLogit(DRAWN, 1), ObjectnessLogit(asked_anchor(trace))):
        found = saliency_of(detector, trace, about)
        level = max(found.shares, key=lambda key: found.shares[key])
        assert found.levels[level].shape == maps[level].shape[-2:]
        strongest = int(found.levels[level].abs().argmax())
        y, x = divmod(strongest, maps[level].shape[-1])
        ends = []
        for factor in (1 + 1e-5, 1 - 1e-5):
            scaled = {key: value.clone() for key, value in maps.items()}
            scaled[level][:, :, y, x] *= factor
            with torch.no_grad():
                ends.append(float(about.ask(detector.model, scaled, trace).logit))
        assert float(found.levels[level][y, x]) == pytest.approx(
            (ends[0] - ends[1]) / 2e-5, rel=1e-3, abs=1e-6
        )


@pytest.mark.parametrize("name", ["fasterrcnn_mobilenet_v3_large_fpn", "pyramid_best_class", "single map"])
def test_it_is_the_logit_of_the_capture_and_one_level_carries_it(name: str) -> None:
    detector = single_map_detector() if name == "single map" else shared_detector(name)
    trace = capture(detector, random_image(1))
    names = list(trace.backbone.pyramid)
    for roi in (0, len(trace.head.boxes) // 2, len(trace.head.boxes) - 1):
        found = class_saliency(detector, trace, trace.head.boxes[roi], 3)
        assert found.value == pytest.approx(float(trace.head.class_logits[roi, 3]), abs=1e-4)
        assert found.probability == pytest.approx(float(trace.head.class_logits[roi].softmax(0)[3]), abs=1e-4)
        assert [key for key, share in found.shares.items() if share > 0] == [
            names[int(trace.head.level[roi])]
        ]
    for anchor in (0, asked_anchor(trace)):
        found = objectness_saliency(detector, trace, anchor)
        assert found.value == pytest.approx(float(trace.rpn.objectness[anchor]), abs=1e-4)
        assert found.probability == pytest.approx(float(trace.rpn.objectness[anchor].sigmoid()), abs=1e-4)
        level = names[int(trace.rpn.level_of(torch.tensor(anchor)))]
        assert found.shares == {key: float(key == level) for key in names}


def seen(image: Tensor, box: Tensor) -> Tensor:
    x1, y1, x2, y2 = box.round().long().tolist()
    return image[y1:y2, x1:x2]


@pytest.fixture(scope="module")
def bundled() -> list[Replay]:
    detector = load_detector("shapes")
    return [Replayer(capture(detector, path), detector).replay() for path in SCENES]


def test_what_an_object_hangs_on_lies_in_its_box(bundled: list[Replay]) -> None:
    detector = load_detector("shapes")
    for replay in bundled:
        for detection in range(min(3, len(replay.labels))):
            box = replay.head.boxes[int(replay.rois[detection])]
            found = class_saliency(detector, replay.trace, box, int(replay.labels[detection]))
            inside = seen(found.image, box)
            # Measured: 4 to 67 times the share that an even map would have there.
            assert float(inside.mean() / found.image.mean()) > 3
            # With as much again on every side: 0.53 of all and more. Small objects draw on what lies around them.
            wide = torch.cat((2 * box[:2] - box[2:], 2 * box[2:] - box[:2])).clamp(0, 256)
            assert float(seen(found.image, wide).sum() / found.image.sum()) > 0.4


def ranks(first: Tensor, second: Tensor) -> float:
    """Spearman's rank correlation."""
    both = [values.flatten().argsort().argsort().double() for values in (first, second)]
    return float(torch.corrcoef(torch.stack(both))[0, 1])


def randomised(part: str) -> Detector:
    """The bundled detector with the weights below `part` drawn anew."""
    detector = load_detector("shapes")
    with torch.random.fork_rng():
        torch.manual_seed(1)
        for name, module in detector.model.named_modules():
            reset: Callable[[], None] | None = getattr(module, "reset_parameters", None)
            if name.startswith(part) and reset is not None:
                reset()
    return detector


def noisy(trace: Trace) -> Trace:
    noise = torch.randn(trace.input.tensor.shape, generator=torch.Generator().manual_seed(0))
    return replace(trace, input=replace(trace.input, tensor=trace.input.tensor + 0.02 * noise))


def test_other_weights_give_another_map(bundled: list[Replay]) -> None:
    """Adebayo et al. 2018. Compared inside the box alone: that the map is zero far from the box is the work of
    RoIAlign, whatever the weights are, and over the whole image it makes any two maps alike (rank correlation
    over 0.95). The yardstick is noise of 2% of a standard deviation, which a person would not see."""
    detector = load_detector("shapes")
    parts = {part: randomised(part) for part in ("", "backbone.body.conv1", "roi_heads")}
    alike: dict[str, list[float]] = {"noise": [], **{part: [] for part in parts}}
    for replay in bundled:
        box, label = replay.head.boxes[int(replay.rois[0])], int(replay.labels[0])
        own = seen(class_saliency(detector, replay.trace, box, label).image, box)
        shaken = class_saliency(detector, noisy(replay.trace), box, label)
        alike["noise"].append(ranks(own, seen(shaken.image, box)))
        for part, other in parts.items():
            drawn = class_saliency(other, replay.trace, box, label)
            alike[part].append(ranks(own, seen(drawn.image, box)))
    # Measured: 0.79 to 0.98 under noise; -0.07 to 0.12 with all weights drawn anew, -0.15 to 0.07 with the first
    # layer's, 0.00 to 0.63 with the second stage's, whose backbone still sees the same edges.
    for part in parts:
        assert all(drawn < shaken for drawn, shaken in zip(alike[part], alike["noise"], strict=True)), part
    for part in ("", "backbone.body.conv1"):
        assert max(map(abs, alike[part])) < min(alike["noise"]) / 2, part


def test_it_asks_about_any_box_where_nothing_was_detected() -> None:
    detector = load_detector("shapes")
    detector.model.roi_heads.score_thresh = 1.0
    trace = capture(detector, SCENES[0])
    assert len(trace.detections) == 0
    found = class_saliency(detector, trace, DRAWN, 2)
    assert float(found.image.sum()) > 0
    background = class_saliency(detector, trace, DRAWN, 0)
    total = sum(class_saliency(detector, trace, DRAWN, label).probability for label in range(1, 7))
    assert background.probability + total == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("name", "training"),
    [
        ("fasterrcnn_mobilenet_v3_large_fpn", True),
        ("pyramid_best_class", True),
        ("pyramid_best_class", False),
    ],
)
def test_looking_leaves_no_mark(name: str, training: bool) -> None:
    detector = build_detector(name)
    model = detector.model
    trace = capture(detector, random_image())
    model.train(training)
    some = list(model.parameters())
    some[0].grad = torch.ones_like(some[0])
    some[3].requires_grad_(False)
    before = model_state(model)
    flags = [(one.requires_grad, one._version, one.grad is None) for one in some]
    for about in (ClassLogit(DRAWN, 2), ObjectnessLogit(7)):
        saliency_of(detector, trace, about)
        with pytest.raises(ValueError, match="expected"):
            saliency_of(detector, trace, _past_the_end(about))
    assert same_state(before, model_state(model))
    assert flags == [(one.requires_grad, one._version, one.grad is None) for one in some]
    assert torch.equal(some[0].grad, torch.ones_like(some[0]))
    assert not trace.input.tensor.requires_grad and torch.is_grad_enabled()


def _past_the_end(about: AnyLogit) -> AnyLogit:
    return ClassLogit(about.box, 6) if isinstance(about, ClassLogit) else ObjectnessLogit(10**9)


def test_traces_of_inference_mode_and_frozen_models_can_be_asked() -> None:
    detector = build_detector("pyramid_per_class")
    detector.model.requires_grad_(False)
    with torch.inference_mode(), recording(detector) as recorder:
        detector.model([random_image(2)])
    trace = recorder.traces[0]
    assert trace.input.tensor.is_inference()
    with torch.inference_mode():
        inside = class_saliency(detector, trace, DRAWN, 1)
    again = class_saliency(detector, trace, DRAWN, 1)
    assert float(again.image.sum()) > 0
    assert torch.equal(inside.image, again.image)


class Cut(nn.Module):
    """A backbone that lets no gradient through."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.out_channels = inner, inner.out_channels

    def forward(self, inputs: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            return self.inner(inputs)


class Overwriting(nn.Module):
    """A predictor that writes into the embedding that the backward pass would need."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.cls_score, self.inner = inner.cls_score, inner

    def forward(self, embedding: Tensor) -> tuple[Tensor, Tensor]:
        return self.inner(embedding.sub_(1).relu_())


def test_what_cannot_be_asked_is_told_in_a_sentence() -> None:
    detector = build_detector("pyramid_per_class")
    trace = capture(detector, random_image())
    with pytest.raises(ValueError, match="expected x1 < x2"):
        class_saliency(detector, trace, torch.tensor([5.0, 5.0, 5.0, 9.0]), 1)
    with pytest.raises(ValueError, match="four finite numbers"):
        class_saliency(detector, trace, torch.tensor([5.0, 5.0, float("nan"), 9.0]), 1)
    with pytest.raises(ValueError, match="expected 0 to 5"):
        class_saliency(detector, trace, DRAWN, 6)
    with pytest.raises(ValueError, match="expected a category index"):
        class_saliency(detector, trace, DRAWN, -1)
    with pytest.raises(ValueError, match="this image's anchors"):
        objectness_saliency(detector, trace, len(trace.rpn.anchors))
    with pytest.raises(ValueError, match="the detector that the trace was captured from"):
        objectness_saliency(single_map_detector(), trace, 3)
    detector.model.backbone = Cut(detector.model.backbone)
    with pytest.raises(ValueError, match="without gradients"):
        class_saliency(detector, trace, DRAWN, 1)
    other = build_detector("pyramid_per_class")
    other.model.roi_heads.box_predictor = Overwriting(other.model.roi_heads.box_predictor)
    with pytest.raises(ValueError, match="cannot be worked out"):
        class_saliency(other, trace, DRAWN, 1)
