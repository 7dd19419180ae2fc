"""The boxes near an object are those that a comparison with every box finds."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.traces import Candidate, hand_trace

from detector import GroundTruth, Replay, Replayer
from detector.explaining.matching import inclusive, overlaps
from detector.explaining.nearness import near_anchors

SIZE, NETWORK = (300, 400), (601, 777)
COUNT = 400


def random_boxes(count: int, size: tuple[int, int], generator: torch.Generator) -> torch.Tensor:
    """Float32 boxes from a pixel to the whole image, some of them over its edge."""
    height, width = size
    sides = 2 ** (torch.rand((count, 2), generator=generator) * 8)
    corner = torch.rand((count, 2), generator=generator) * torch.tensor([width, height]) - sides / 3
    return torch.cat((corner, corner + sides), dim=1)


def random_replay(seed: int) -> Replay:
    generator = torch.Generator().manual_seed(seed)
    anchors, decoded = (random_boxes(COUNT, NETWORK, generator) for _ in range(2))
    trace = hand_trace(
        *(Candidate(tuple(a), decoded=tuple(d)) for a, d in zip(anchors.tolist(), decoded.tolist(), strict=True)),
        image_size=SIZE, network_size=NETWORK,
    )  # fmt: skip
    return Replayer(trace).replay()


REPLAYS = [random_replay(seed) for seed in range(3)]


def random_objects(seed: int, replay: Replay) -> GroundTruth:
    """Objects anywhere, and some that are a box of the trace, or nearly."""
    generator = torch.Generator().manual_seed(seed)
    own = replay.trace.to_image(replay.trace.rpn.anchors[torch.randint(COUNT, (6,), generator=generator)])
    own[3:] += torch.rand((3, 4), generator=generator) * own[3:].diff(dim=0).abs().mean() * 0.01
    boxes = torch.cat((random_boxes(6, SIZE, generator), own))
    boxes[:, 2:] = torch.maximum(boxes[:, 2:], boxes[:, :2] + 0.5)
    crowd = torch.rand(len(boxes), generator=generator) < 0.2
    return GroundTruth(boxes, torch.ones(len(boxes), dtype=torch.int64), crowd)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), bound=st.sampled_from([0.01, 0.1, 0.3, 0.5, 0.75, 0.95, 1.0]))
def test_near_anchors_equal_a_comparison_with_all(seed: int, bound: float) -> None:
    replay = REPLAYS[seed % len(REPLAYS)]
    truth, bound = random_objects(seed, replay), inclusive(bound)
    trace = replay.trace
    before = overlaps(trace.to_image(trace.rpn.anchors), truth)
    after = overlaps(trace.to_image(replay.proposals.boxes), truth)
    for index, near in enumerate(near_anchors(replay, truth, bound)):
        if truth.crowd[index]:
            assert len(near.index) == 0 and near.nearest is None
            continue
        fits = ((before[:, index] >= bound) | (after[:, index] >= bound)).nonzero().flatten()
        assert torch.equal(near.index, fits)
        assert torch.equal(near.anchor_iou, before[fits, index])
        assert torch.equal(near.decoded_iou, after[fits, index])
        if len(fits) == 0:
            assert near.nearest is not None
            assert near.nearest[1] == float(before[:, index].max())
            assert float(before[near.nearest[0], index]) == near.nearest[1]
            assert near.best_decoded == float(after[:, index].max())
        else:
            assert near.nearest is None


def test_an_object_that_nothing_touches_has_a_nearest_anchor_all_the_same() -> None:
    trace = hand_trace(Candidate((0, 0, 10, 10)), Candidate((5, 5, 15, 15)))
    far = GroundTruth(torch.tensor([[80.0, 80, 90, 90]]), torch.tensor([1]))
    near = near_anchors(Replayer(trace).replay(), far, 0.5)[0]
    assert near.nearest is not None and near.nearest[1] == 0.0 and near.best_decoded == 0.0


@pytest.mark.parametrize("what", ["objects", "bound", "size"])
def test_what_is_remembered_is_forgotten_when_the_question_changes(what: str) -> None:
    replay = REPLAYS[0]
    truth = random_objects(5, replay)
    first = near_anchors(replay, truth, 0.3)
    assert near_anchors(replay, truth, 0.3) is first
    other = replay
    if what == "size":
        turned = replace(replay.trace, input=replace(replay.trace.input, image_size=(400, 300)))
        other = replace(replay, trace=turned)
    changed = near_anchors(
        other, random_objects(6, replay) if what == "objects" else truth, 0.6 if what == "bound" else 0.3
    )
    assert changed is not first
    assert any(not torch.equal(a.index, b.index) for a, b in zip(first, changed, strict=True))
