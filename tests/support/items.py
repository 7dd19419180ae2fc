"""Data sets of a user's own training script: items, without names or files."""

from __future__ import annotations

from typing import Any

import torch

from support.models import random_image, random_truth


class RandomItems(torch.utils.data.Dataset):
    """Images with random objects, of several sizes."""

    def __init__(self, sizes: list[tuple[int, int]], count: int = 4) -> None:
        self.sizes, self.count = sizes, count

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, dict[str, Any]]:
        truth = random_truth(index, self.sizes[index], self.count)
        return random_image(index, self.sizes[index]), {"boxes": truth.boxes, "labels": truth.labels}
