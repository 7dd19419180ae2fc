"""Augmentation: boxes follow the pixels, what is left of them is clean, and every draw is the caller's."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from detector.data import ShapesDataset
from detector.data.augmentation import Augmentation, augmented, draws_of
from detector.data.augmentation_steps import crop_window
from detector.data.items import Sample, as_boxes

SIZE = (96, 128)
# Three objects that may overlap: each is painted in a channel of its own, so that its pixels are known.
PAINTED = [[8.0, 10.0, 60.0, 50.0], [40.0, 30.0, 120.0, 90.0], [70.0, 4.0, 110.0, 44.0]]


def painted(boxes: list[list[float]]) -> Sample:
    """A black image in which object k fills its box in channel k."""
    pixels = torch.zeros(3, *SIZE, dtype=torch.uint8)
    for channel, (x1, y1, x2, y2) in enumerate(boxes):
        pixels[channel, int(y1) : int(y2), int(x1) : int(x2)] = 255
    count = len(boxes)
    target = {
        "boxes": as_boxes(torch.tensor(boxes), SIZE),
        "labels": torch.arange(1, count + 1),
        "image_id": 7,
        "ids": torch.arange(count) + 40,
        "iscrowd": torch.zeros(count, dtype=torch.bool),
        "visible": torch.arange(count) / 10,
    }
    return pixels, target


def extent(channel: Tensor) -> list[int] | None:
    """Box xyxy around the pixels [H, W] that are more than half bright; padding is darker than that."""
    rows, columns = (channel > 127).any(dim=1).nonzero(), (channel > 127).any(dim=0).nonzero()
    if len(rows) == 0:
        return None
    return [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize(
    "augmentation",
    [Augmentation(flip=1), Augmentation(flip=0.5, scale=(0.5, 2)), Augmentation(flip=0, crop=1),
     Augmentation(flip=0.5, scale=(0.6, 1.7), crop=0.8)],
    ids=["flip", "scale", "crop", "all"],
)  # fmt: skip
def test_boxes_follow_the_pixels(augmentation: Augmentation, seed: int) -> None:
    pixels, target = augmented(painted(PAINTED), augmentation, draws_of(seed, 0, 0))
    assert target["boxes"].canvas_size == tuple(pixels.shape[1:])
    for number, box in zip(target["ids"].tolist(), target["boxes"].tolist(), strict=True):
        seen = extent(pixels[number - 40])
        assert seen is not None
        assert max(abs(a - b) for a, b in zip(seen, box, strict=True)) <= 1, (seen, box)


def test_an_object_is_lost_only_where_it_is_cut_away() -> None:
    """What no box is left of shows less than the smallest side, or a crop left its centre outside."""
    lost = 0
    for seed in range(60):
        augmentation = Augmentation(flip=0, scale=(0.5, 2), smallest_side=6)
        pixels, target = augmented(painted(PAINTED), augmentation, draws_of(seed, 0, 0))
        for number in {40, 41, 42} - set(target["ids"].tolist()):
            seen = extent(pixels[number - 40])
            assert seen is None or min(seen[2] - seen[0], seen[3] - seen[1]) <= 6
            lost += 1
    assert lost > 0


def test_flipping_twice_is_nothing() -> None:
    sample = ShapesDataset(1, size=64)[0]
    always = Augmentation(flip=1)
    pixels, target = augmented(augmented(sample, always, draws_of(1, 2, 3)), always, draws_of(4, 5, 6))
    assert torch.equal(pixels, sample[0])
    assert torch.equal(target["boxes"], sample[1]["boxes"])


def test_nothing_asked_changes_nothing() -> None:
    sample = ShapesDataset(1, size=64)[0]
    before = sample[0].clone()
    pixels, target = augmented(sample, Augmentation(flip=0), draws_of(1, 2, 3))
    assert torch.equal(pixels, sample[0])
    assert all(
        torch.equal(torch.as_tensor(target[key]), torch.as_tensor(sample[1][key])) for key in sample[1]
    )
    augmented(sample, Augmentation(flip=1, colour=1, scale=(0.5, 2), crop=1), draws_of(1, 2, 3))
    assert torch.equal(sample[0], before), "the given sample stays as it is"


EVERYTHING = Augmentation(flip=0.5, scale=(0.5, 2), colour=0.8, crop=0.5)


def _same(a: Sample, b: Sample) -> bool:
    return a[0].shape == b[0].shape and torch.equal(a[0], b[0]) and torch.equal(a[1]["boxes"], b[1]["boxes"])


def test_draws_are_the_generators_only() -> None:
    sample = painted(PAINTED)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = augmented(sample, EVERYTHING, draws_of(3, 1, 4))
    assert torch.equal(torch.get_rng_state(), state), "torch's own state is not moved"
    torch.manual_seed(99)
    assert _same(first, augmented(sample, EVERYTHING, draws_of(3, 1, 4))), "and not read"
    others = [draws_of(4, 1, 4), draws_of(3, 2, 4), draws_of(3, 1, 5)]
    assert not any(_same(first, augmented(sample, EVERYTHING, other)) for other in others)


def test_colours_change_and_places_do_not() -> None:
    sample = ShapesDataset(1, size=64)[0]
    strengths = []
    for colour in (0.1, 1.0):
        changed = [
            augmented(sample, Augmentation(flip=0, colour=colour), draws_of(0, 0, k)) for k in range(20)
        ]
        assert all(torch.equal(target["boxes"], sample[1]["boxes"]) for _, target in changed)
        assert all(pixels.dtype == torch.uint8 for pixels, _ in changed)
        strengths.append(sum(float((p.float() - sample[0].float()).abs().mean()) for p, _ in changed) / 20)
    assert 0 < strengths[0] < strengths[1] / 3


_side = st.floats(0.01, 150)
_place = st.floats(-40, 130)


@given(
    boxes=st.lists(st.tuples(_place, _place, _side, _side, st.booleans()), max_size=6),
    seed=st.integers(0, 10**6), low=st.floats(0.3, 1), high=st.floats(1, 3),
    crop=st.sampled_from([0.0, 1.0]), smallest=st.floats(0, 20),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_what_is_left_is_clean(
    boxes: list[tuple[float, float, float, float, bool]], seed: int, low: float, high: float, crop: float,
    smallest: float,
) -> None:  # fmt: skip
    corners = torch.tensor([[x, y, x + w, y + h] for x, y, w, h, _ in boxes]).reshape(-1, 4)
    count = len(boxes)
    target = {
        "boxes": as_boxes(corners, SIZE), "labels": torch.arange(count) % 5 + 1, "image_id": 3,
        "ids": torch.arange(count), "iscrowd": torch.tensor([crowd for *_, crowd in boxes], dtype=torch.bool),
    }  # fmt: skip
    augmentation = Augmentation(flip=0.5, scale=(low, high), crop=crop, smallest_side=smallest)
    pixels, left = augmented(
        (torch.zeros(3, *SIZE, dtype=torch.uint8), target), augmentation, draws_of(seed, 0, 0)
    )
    height, width = pixels.shape[1:]
    found = left["boxes"].as_subclass(Tensor)
    assert found.isfinite().all()
    assert (found >= 0).all()
    assert (found <= torch.tensor([width, height, width, height])).all()
    sides = found[:, 2:] - found[:, :2]
    assert (sides > 0).all()
    assert low == high == 1 or (sides >= smallest).all()
    assert left["image_id"] == 3
    kept = left["ids"]
    assert len(kept) == len(found) == len(set(kept.tolist()))
    assert torch.equal(left["labels"], target["labels"][kept])
    assert torch.equal(left["iscrowd"], target["iscrowd"][kept])


@pytest.mark.parametrize("seed", range(30))
def test_a_crop_keeps_an_object_and_its_shape(seed: int) -> None:
    boxes = torch.tensor(PAINTED)
    window = crop_window(boxes, SIZE, draws_of(seed, 0, 0))
    if window is None:
        return
    top, left, height, width = window
    assert 0 <= top <= top + height <= SIZE[0]
    assert 0 <= left <= left + width <= SIZE[1]
    assert 0.5 <= width / height <= 2
    centres = [((x1 + x2) / 2, (y1 + y2) / 2) for x1, y1, x2, y2 in PAINTED]
    assert any(left < x < left + width and top < y < top + height for x, y in centres)


def test_crops_are_found_and_need_an_object() -> None:
    found = [crop_window(torch.tensor(PAINTED), SIZE, draws_of(seed, 0, 0)) for seed in range(40)]
    assert sum(window is not None for window in found) >= 20
    assert crop_window(torch.zeros(0, 4), SIZE, draws_of(0, 0, 0)) is None


def test_float_pixels_are_padded_in_the_same_colour() -> None:
    pixels, target = painted(PAINTED)
    small = Augmentation(flip=0, scale=(0.5, 0.5))
    as_bytes = augmented((pixels, target), small, draws_of(0, 0, 0))[0].float() / 255
    as_floats = augmented((pixels.float() / 255, target), small, draws_of(0, 0, 0))[0]
    assert (as_bytes - as_floats).abs().max() < 0.01


def test_masks_are_refused() -> None:
    pixels, target = painted(PAINTED)
    with pytest.raises(ValueError, match="masks or keypoints"):
        augmented((pixels, {**target, "masks": torch.zeros(3, *SIZE)}), Augmentation(), draws_of(0, 0, 0))


@pytest.mark.parametrize(
    ("words", "message"),
    [({"flip": 1.1}, "flip is 1.1"), ({"scale": (2, 1)}, "scale is"), ({"scale": (0, 1)}, "scale is"),
     ({"smallest_side": -1}, "smallest_side is -1"), ({"crop": float("nan")}, "crop is nan")],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(words: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Augmentation(**words)  # pyright: ignore[reportArgumentType]
