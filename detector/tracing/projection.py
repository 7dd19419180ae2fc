"""Embeddings as a map: the plane in which they differ most (principal component analysis).

Shapes: `R` RoIs, `D` embedding size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_EXACT = 48
_DIRECTIONS, _ROUNDS = 16, 30


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """Points on the plane of largest variance.

    Args:
        points: float [R, 2], the two coordinates of each RoI, centred.
        shares: part of the whole variance that lies along either axis, each in [0, 1].
    """

    points: Tensor
    shares: tuple[float, float]


def principal_plane(embedding: Tensor) -> Projection:
    """PCA to two dimensions of float [R, D], by singular value decomposition; the same for the same embeddings.

    Each axis points to where its largest weight is positive. What is missing (one RoI, or D = 1) is 0, and so
    is what is not finite.
    """
    values = torch.nan_to_num(embedding.detach().cpu().float(), posinf=0.0, neginf=0.0)
    if len(values) == 0:
        return Projection(torch.zeros((0, 2)), (0.0, 0.0))
    centred = values - values.mean(dim=0)
    # Two axes are wanted and not a thousand: the decomposition of all is a hundred times the work.
    basis = _leading_directions(centred) if min(centred.shape) > _EXACT else torch.eye(centred.shape[1])
    _, lengths, inner = torch.linalg.svd(centred @ basis, full_matrices=False)
    axes = inner[:2] @ basis.T
    if len(axes):
        largest = axes.gather(1, axes.abs().argmax(dim=1, keepdim=True))
        axes = axes * torch.where(largest < 0, -1.0, 1.0)
    points = centred @ axes.T
    whole = float(centred.double().square().sum())
    shares = [float(length) ** 2 / whole if whole > 0 else 0.0 for length in lengths[:2]]
    missing = 2 - points.shape[1]
    shares += [0.0] * missing
    return Projection(torch.nn.functional.pad(points, (0, missing)), (shares[0], shares[1]))


def _leading_directions(centred: Tensor) -> Tensor:
    """Orthonormal columns, float [D, 16], that span the directions of largest variance of float [R, D].

    Block power iteration (Halko, Martinsson and Tropp 2011, section 4.5), from rows spread over all of them.
    """
    start = centred[torch.linspace(0, len(centred) - 1, _DIRECTIONS).long()]
    directions = torch.linalg.qr(start.T)[0]
    for _ in range(_ROUNDS):
        directions = torch.linalg.qr(centred.T @ (centred @ directions))[0]
    return directions
