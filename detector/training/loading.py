"""Training batches: which images come when, varied how, and as the detector takes them.

The order of an epoch follows from the run's seed and the epoch alone, and each image's augmentation from these and
its index. So a run that is resumed at any step sees what it would have seen without the pause.

Shapes: `B` images in a batch, `G` objects of an image; boxes xyxy in the image frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from detector.data.augmentation import augmented, draws_of
from detector.data.datasets import ground_truth_of
from detector.data.items import Sample
from detector.training.seeds import generator_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from detector.data.augmentation import Augmentation

_BESIDE_BOXES = ("masks", "keypoints")


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What one step of one process learns from.

    Args:
        images: B tensors float [3, H, W] in [0, 1]; their sizes may differ.
        targets: for each image `boxes` (float [G, 4]) and `labels` (int64 [G]), without crowd regions; an image
            without objects has none of them.
        indices: of the images in the training data.
        problem: why one of them cannot be learned from, in a sentence; then there are no images. (An exception from
            a process that reads images would carry that process's stack trace.)
    """

    images: list[Tensor]
    targets: list[dict[str, Tensor]]
    indices: tuple[int, ...] = ()
    problem: str = ""

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""
        images = [image.to(device, non_blocking=True) for image in self.images]
        targets = [{name: tensor.to(device) for name, tensor in one.items()} for one in self.targets]
        return Batch(images, targets, self.indices, self.problem)


def as_batch(samples: Sequence[Sample], indices: Sequence[int] = ()) -> Batch:
    """Samples of any data set as the detector takes them."""
    images = [pixels.float() / 255 for pixels, _ in samples]
    return Batch(images, [_as_target(target) for _, target in samples], tuple(indices))


def _as_target(target: dict[str, Any]) -> dict[str, Tensor]:
    truth = ground_truth_of(target)
    plain = {name: tensor.as_subclass(Tensor) for name, tensor in truth.as_target().items()}
    beside = {
        name: target[name].as_subclass(Tensor)[~truth.crowd] for name in _BESIDE_BOXES if name in target
    }
    return plain | beside


Drawn = tuple[int, "Sample | str"]
"""Index of an image, and the image, or why it cannot be had."""


class TrainingImages(Dataset[Drawn]):
    """The images of a data set, varied anew in every epoch, by `(epoch, index)`.

    Args:
        dataset: any data set of `detector.data`.
        augmentation: of each image.
        seed: of the run.
        limit: only so many images, from the first one; None for all.
    """

    def __init__(
        self, dataset: Dataset[Sample], augmentation: Augmentation, *, seed: int, limit: int | None = None
    ) -> None:
        size = len(dataset)  # pyright: ignore[reportArgumentType]
        self.dataset, self.augmentation, self.seed = dataset, augmentation, seed
        self.length = size if limit is None else min(limit, size)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, key: tuple[int, int]) -> Drawn:
        epoch, index = key
        draws = draws_of(self.seed, epoch, index)
        try:
            return index, augmented(self.dataset[index], self.augmentation, draws)
        except (ValueError, OSError) as error:
            said = " ".join(str(error).split())
            name = self.describe(index)
            return index, said if name in said else f"{name}: {said}"

    def describe(self, index: int) -> str:
        """What people call an image: the name of its file, or `image 7`."""
        path_of = getattr(self.dataset, "image_path", None)
        return f"image {index}" if path_of is None else str(path_of(index))


class BatchOrder(Sampler[list[tuple[int, int]]]):
    """The batches of one epoch after the other, as lists of `(epoch, index)`.

    Every process has a share of each epoch; where the images do not divide among them, the first ones of the order
    come twice. The last batch of an epoch may be smaller.

    Args:
        length: images.
        batch_size: in each step of each process.
        seed: of the run.
        position: optimizer steps that are done, asked whenever a pass begins: it goes on from there.
        rank, world_size: of this process, and how many there are.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        *,
        seed: int,
        position: Callable[[], int],
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.length, self.batch_size, self.seed, self.position = length, batch_size, seed, position
        self.rank, self.world_size = rank, world_size

    def __len__(self) -> int:
        """Steps in an epoch."""
        return math.ceil(math.ceil(self.length / self.world_size) / self.batch_size)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        epoch, done = divmod(self.position(), len(self))
        indices = self.indices(epoch)
        for start in range(done * self.batch_size, len(indices), self.batch_size):
            yield [(epoch, index) for index in indices[start : start + self.batch_size]]

    def indices(self, epoch: int) -> list[int]:
        """The images of this process in one epoch, in their order."""
        order = torch.randperm(self.length, generator=generator_of(self.seed, "order", epoch)).tolist()
        share = math.ceil(self.length / self.world_size)
        padded = (order * math.ceil(share * self.world_size / self.length))[: share * self.world_size]
        return padded[self.rank :: self.world_size]


def training_loader(images: TrainingImages, order: BatchOrder, workers: int) -> DataLoader[Any]:
    """A loader of `Batch` in the given order, read by so many processes beside this one."""
    return DataLoader(
        images,
        batch_sampler=order,
        num_workers=workers,
        collate_fn=_collate,
        persistent_workers=workers > 0,
    )


def _collate(drawn: list[Drawn]) -> Batch:
    indices = tuple(index for index, _ in drawn)
    problem = next((sample for _, sample in drawn if isinstance(sample, str)), None)
    if problem is not None:
        return Batch([], [], indices, problem)
    return as_batch([sample for _, sample in drawn if not isinstance(sample, str)], indices)
