"""Training batches: each image once an epoch, the same wherever a run goes on, and as a detector takes them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.data import Dataset

from detector.data.augmentation import Augmentation
from detector.data.coco import CocoDataset
from detector.data.coco_export import write_coco
from detector.data.items import Sample, as_boxes
from detector.data.shapes import ShapesDataset
from detector.training.loading import BatchOrder, TrainingImages, as_batch, training_loader

VARIED = Augmentation(flip=0.5, scale=(0.8, 1.2), colour=0.5, crop=0.5)


def order(length: int, batch: int, step: int = 0, rank: int = 0, world: int = 1, seed: int = 0) -> BatchOrder:
    return BatchOrder(length, batch, seed=seed, position=lambda: step, rank=rank, world_size=world)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 7), st.integers(1, 5), st.integers(0, 3), st.integers(0, 2**40))
def test_every_image_comes_once_an_epoch_and_all_processes_do_as_many_steps(
    length: int, batch: int, world: int, epoch: int, seed: int
) -> None:
    shares = []
    for rank in range(world):
        steps = len(order(length, batch, 0, rank, world, seed))
        one = order(length, batch, epoch * steps, rank, world, seed)
        drawn = list(one)
        assert len(drawn) == len(one)
        assert all(e == epoch for of_step in drawn for e, _ in of_step)
        shares.append([index for of_step in drawn for _, index in of_step])
    seen = Counter(index for share in shares for index in share)
    assert set(seen) == set(range(length))
    assert len({len(share) for share in shares}) == 1
    assert sum(seen.values()) - length < world


@pytest.mark.parametrize("step", range(8))
def test_a_run_that_goes_on_sees_the_batches_that_were_left(step: int) -> None:
    whole = [batch for epoch in range(2) for batch in order(10, 3, epoch * 4)]
    rest = list(order(10, 3, step))
    if step < 4:
        rest += list(order(10, 3, 4))
    assert rest == whole[step:]


def test_epochs_and_seeds_have_other_orders() -> None:
    orders = [order(20, 4, seed=seed).indices(epoch) for seed in (0, 1) for epoch in (0, 1)]
    assert len({tuple(one) for one in orders}) == 4


def test_an_image_is_varied_by_seed_epoch_and_index_alone() -> None:
    images, again = (TrainingImages(ShapesDataset(4, seed=3, size=64), VARIED, seed=5) for _ in range(2))
    torch.manual_seed(1)
    first = {key: images[key] for key in [(0, 0), (0, 1), (1, 0)]}
    state = torch.get_rng_state()
    for key in reversed(first):
        assert torch.equal(pixels(again[key]), pixels(first[key]))
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(pixels(first[0, 0]), pixels(first[1, 0]))


def pixels(drawn: tuple[int, Any]) -> Tensor:
    return drawn[1][0]


class Odd(Dataset[Sample]):
    """One image with nothing on it, one with a crowd and an object."""

    categories = ("background", "thing")

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Sample:
        boxes = torch.tensor([[1.0, 1, 9, 9], [4, 4, 20, 20]])[: 2 * index]
        target = {"boxes": as_boxes(boxes, (24, 24)), "labels": torch.ones(2 * index, dtype=torch.int64)}
        return torch.full((3, 24, 24), 255, dtype=torch.uint8), target | {
            "image_id": index, "iscrowd": torch.tensor([True, False])[: 2 * index], "ids": torch.arange(2 * index),
        }  # fmt: skip


def test_images_without_objects_stay_and_crowd_regions_do_not() -> None:
    images = TrainingImages(Odd(), Augmentation(flip=0.0), seed=0)
    (batch,) = training_loader(images, order(2, 2), workers=0)
    by_index = dict(zip(batch.indices, batch.targets, strict=True))
    assert by_index[0]["boxes"].shape == (0, 4)
    assert by_index[1]["boxes"].tolist() == [[4, 4, 20, 20]]
    assert [type(one) for target in batch.targets for one in target.values()] == [Tensor] * 4
    assert batch.images[0].dtype == torch.float32 and float(batch.images[0].max()) == 1.0
    moved = batch.to("meta")
    assert moved.images[0].is_meta and moved.targets[0]["labels"].is_meta and moved.indices == batch.indices


def test_fewer_images_are_the_first_ones() -> None:
    images = TrainingImages(ShapesDataset(8, size=64), Augmentation(), seed=0, limit=3)
    assert len(images) == 3
    assert len(TrainingImages(ShapesDataset(2, size=64), Augmentation(), seed=0, limit=3)) == 2


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_vanished_is_a_sentence_and_no_stack(workers: int, tmp_path: Path) -> None:
    write_coco(ShapesDataset(2, size=64), tmp_path)
    dataset = CocoDataset(tmp_path)
    gone = dataset.image_path(1)
    gone.unlink()
    images = TrainingImages(dataset, Augmentation(), seed=0)
    (batch,) = training_loader(images, order(2, 2), workers=workers)
    assert batch.images == [] and str(gone) in batch.problem
    assert "\n" not in batch.problem and "Traceback" not in batch.problem
    assert images.describe(0) == str(dataset.image_path(0))


def test_masks_and_keypoints_come_along_without_those_of_crowds() -> None:
    sample, target = Odd()[1]
    masks = torch.arange(2).reshape(2, 1, 1).expand(2, 24, 24)
    batch = as_batch([(sample, target | {"masks": masks})])
    assert batch.targets[0]["masks"].unique().tolist() == [1]
