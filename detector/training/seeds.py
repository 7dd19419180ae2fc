"""Random states that follow from a run's seed and a place in the run, and from nothing else.

What is drawn in step 700 is then the same whether the run came there in one go or was resumed at step 699, and
whether or not something else (a probe, a validation) drew numbers in between.
"""

from __future__ import annotations

import hashlib

import torch


def seed_of(*place: int | str) -> int:
    """A seed, 63 bits, for a place such as `(run seed, "order", epoch)`; other places have unrelated seeds."""
    digest = hashlib.blake2b(repr(place).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def generator_of(*place: int | str) -> torch.Generator:
    """A generator on the CPU, seeded for a place."""
    return torch.Generator().manual_seed(seed_of(*place))
