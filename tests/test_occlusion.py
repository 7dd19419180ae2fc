"""The occlusion map is what covering the input does, place by place, and agrees with the gradient about where."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from support.models import build_detector, random_image, shared_detector, single_map_detector
from support.oracles import model_state, same_state
from torch import Tensor

from detector import Detector, Replayer, Trace, capture, load_detector
from detector.explaining import occlusion
from detector.explaining.logits import AnyLogit, ClassLogit, ObjectnessLogit
from detector.explaining.occlusion import occlusion_map
from detector.explaining.saliency import saliency_of

SCENE = Path(__file__).parents[1] / "sample_images" / "scene_01.png"
BOX = torch.tensor([21.5, 14.0, 88.0, 71.25])
REGION = torch.tensor([10.2, 20.0, 75.5, 66.0])


def by_hand(detector: Detector, trace: Trace, about: AnyLogit, cover: tuple[int, int, int, int]) -> float:
    """The logit under one patch: torchvision's own heads, overheard, on an input that is covered pixel by pixel."""
    model, (height, width) = detector.model, trace.input.network_size
    inputs = trace.input.tensor.clone()
    x1, y1, x2, y2 = cover
    for channel in range(3):
        inputs[channel, y1:y2, x1:x2] = trace.input.tensor[channel, :height, :width].mean()
    heard: list[Tensor] = []
    listened = model.rpn.head if isinstance(about, ObjectnessLogit) else model.roi_heads.box_predictor
    handle = listened.register_forward_hook(lambda _m, _a, output: heard.append(output[0]))
    try:
        with torch.no_grad():
            maps = model.backbone(inputs[None])
            maps = {"0": maps} if isinstance(maps, Tensor) else maps
            if isinstance(about, ObjectnessLogit):
                model.rpn.head(list(maps.values()))
                flat = torch.cat([score[0].permute(1, 2, 0).flatten() for score in heard[0]])
                return float(flat[about.anchor])
            model.roi_heads(maps, [about.box[None]], [(height, width)])
            return float(heard[0][0, about.label])
    finally:
        handle.remove()


@pytest.mark.parametrize("name", ["fasterrcnn_mobilenet_v3_large_fpn", "pyramid_per_class", "single map"])
def test_each_place_is_what_covering_it_does(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = single_map_detector() if name == "single map" else shared_detector(name)
    trace = capture(detector, random_image(5))
    monkeypatch.setattr(occlusion, "PIXELS_AT_ONCE", 3 * trace.input.tensor[0].numel())
    for about in (ClassLogit(BOX, 2), ObjectnessLogit(40)):
        told: list[tuple[int, int]] = []
        found = occlusion_map(
            detector, trace, about, patch=22, stride=17, region=REGION,
            progress=lambda done, total, told=told: told.append((done, total)),
        )  # fmt: skip
        # x from 10 to 76, y from 20 to 66: the last place of each axis ends at the edge.
        assert found.lefts.tolist() == [10, 27, 44, 54] and found.tops.tolist() == [20, 37, 44]
        assert told == [(3, 12), (6, 12), (9, 12), (12, 12)]
        assert found.drops.shape == (3, 4)
        bare = by_hand(detector, trace, about, (0, 0, 0, 0))
        assert found.value == pytest.approx(bare, abs=1e-4)
        boxes = found.boxes.long()
        assert boxes[0, 0].tolist() == [10, 20, 32, 42] and boxes[2, 3].tolist() == [54, 44, 76, 66]
        for row, column in ((0, 0), (1, 2), (2, 3)):
            x1, y1, x2, y2 = boxes[row, column].tolist()
            drop = bare - by_hand(detector, trace, about, (x1, y1, x2, y2))
            assert float(found.drops[row, column]) == pytest.approx(drop, abs=2e-4)


def test_the_whole_image_is_covered_and_a_large_patch_is_cut() -> None:
    detector = shared_detector("pyramid_per_class")
    trace = capture(detector, random_image(5, (96, 112)))
    height, width = trace.input.network_size
    found = occlusion_map(detector, trace, ObjectnessLogit(3), patch=50, stride=40)
    hit = torch.zeros(height, width)
    for x1, y1, x2, y2 in found.boxes.reshape(-1, 4).long().tolist():
        assert 0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height
        hit[y1:y2, x1:x2] = 1
    assert bool(hit.all())
    whole = occlusion_map(detector, trace, ObjectnessLogit(3), patch=1000, stride=40)
    assert whole.boxes.tolist() == [[[0, 0, width, height]]]


def test_a_patch_larger_than_its_region_says_what_it_covers() -> None:
    detector = shared_detector("pyramid_per_class")
    trace, about = capture(detector, random_image(5, (96, 112))), ClassLogit(BOX, 2)
    found = occlusion_map(
        detector, trace, about, patch=40, stride=40, region=torch.tensor([20.0, 30.0, 45.0, 50.0])
    )
    assert found.boxes.tolist() == [[[20, 30, 45, 50]]]
    drop = found.value - by_hand(detector, trace, about, (20, 30, 45, 50))
    assert float(found.drops[0, 0]) == pytest.approx(drop, abs=2e-4)


def test_it_is_the_same_again_and_leaves_no_mark() -> None:
    detector = build_detector("pyramid_best_class")
    trace = capture(detector, random_image(1))
    detector.model.train()
    before, kept = model_state(detector.model), trace.input.tensor.clone()
    first, second = (
        occlusion_map(detector, trace, ClassLogit(BOX, 1), patch=40, stride=40) for _ in range(2)
    )
    assert torch.equal(first.drops, second.drops)

    class Enough(Exception):
        pass

    def stop(done: int, total: int) -> None:
        # Between batches the model is free and as it was: others can look.
        assert detector.model.training
        raise Enough

    with pytest.raises(Enough):
        occlusion_map(detector, trace, ClassLogit(BOX, 1), patch=40, stride=40, progress=stop)
    assert same_state(before, model_state(detector.model))
    assert torch.equal(trace.input.tensor, kept)


def test_it_agrees_with_the_gradient_about_where() -> None:
    """Over the places around the box, by rank: the check that the gradient is there for."""
    detector = load_detector("shapes")
    replay = Replayer(capture(detector, SCENE), detector).replay()
    about = ClassLogit(replay.head.boxes[int(replay.rois[0])], int(replay.labels[0]))
    low, high = about.box[:2], about.box[2:]
    region = torch.cat((2 * low - high, 2 * high - low)).clamp(0, 256)
    side = int((high - low).max() / 2)
    covered = occlusion_map(detector, replay.trace, about, patch=side, stride=side, region=region)
    gradient = saliency_of(detector, replay.trace, about).image
    means = [
        float(gradient[y1:y2, x1:x2].mean())
        for x1, y1, x2, y2 in covered.boxes.reshape(-1, 4).long().tolist()
    ]
    ranks = torch.stack((torch.tensor(means), covered.drops.flatten().abs())).argsort(1).argsort(1).double()
    assert float(torch.corrcoef(ranks)[0, 1]) > 0.7
    # Covering evidence lowers the logit where it matters most.
    assert float(covered.drops.max()) > -float(covered.drops.min())


@pytest.mark.parametrize(
    ("patch", "stride", "region", "sentence"),
    [
        (0, 4, None, "expected 1 px or more"),
        (4, 0, None, "expected 1 px or more"),
        (4, 4, torch.tensor([500.0, 0.0, 600.0, 20.0]), "some of the"),
    ],
)
def test_what_cannot_be_covered_is_told(
    patch: int, stride: int, region: Tensor | None, sentence: str
) -> None:
    detector = shared_detector("pyramid_per_class")
    trace = capture(detector, random_image())
    with pytest.raises(ValueError, match=sentence):
        occlusion_map(detector, trace, ObjectnessLogit(0), patch=patch, stride=stride, region=region)
