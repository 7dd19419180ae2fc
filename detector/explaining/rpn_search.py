"""Where a threshold of the RPN may bring an object back: new proposals, which the second stage has to look at.

What helps is a proposal that the second stage refines to a box of the right class that fits (it need not fit
itself). Each search asks the second stage once, in one batch, for the proposals that any value may let in, the
nearest to the object first; only values that let in one that helps are worth a replay.

Shapes: `N` anchors, `W` anchors that the RPN's NMS keeps, by falling score.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from detector.explaining.nms_breakpoints import Flags, Pairs, Suppression, pairs_in_order
from detector.explaining.trial import Search, Trial, compared, in_order

_NO_LIMIT = 10**9
# Above, the RPN's NMS itself takes seconds, or the table of its pairs hundreds of megabytes.
MOST_ENTRANTS = 20_000
MOST_PER_LEVEL = 3_000


def search_limit(trial: Trial) -> Search:
    """Values of `rpn_post_nms_top_n`: places of the proposals after NMS that the limit keeps out."""
    winners, present = trial.replay.proposals.winners, trial.present.rpn_post_nms_top_n
    late = winners[present:]

    def values() -> Iterator[int]:
        first = _first_helper(trial, late)
        return iter(() if first is None else range(present + first + 1, len(winners) + 1))

    def passing() -> int | None:
        first = _first(_fitting(trial, late))
        return None if first is None else present + first + 1

    return Search("rpn_post_nms_top_n", values(), passing)


def search_score(trial: Trial) -> Search:
    """Values of `rpn_score`: scores of the proposals that it keeps out; a lower value appends to their list."""
    ledger = trial.replayer.proposals(trial.present.replace(rpn_score=0.0))
    out = ledger.kept[ledger.scores[ledger.kept] < trial.present.rpn_score]
    scores = ledger.scores[out].tolist()

    def values() -> Iterator[float]:
        first = _first_helper(trial, out)
        return iter(() if first is None else dict.fromkeys(scores[first:]))

    def passing() -> float | None:
        entrants = in_order(ledger.scores, ledger.entrants)
        fitting = entrants[_fitting(trial, entrants)]
        fitting = fitting[ledger.scores[fitting] < trial.present.rpn_score]
        return float(ledger.scores[fitting[0]]) if len(fitting) else None

    return Search("rpn_score", values(), passing)


def search_rank(trial: Trial) -> Search:
    """Values of `rpn_pre_nms_top_n`, a rank on every level at once, up to twice, four times, ... the present."""
    rpn = trial.replay.trace.rpn
    present = trial.present.rpn_pre_nms_top_n
    ranks = _ranks(rpn.objectness, rpn.per_level)

    def values() -> Iterator[int]:
        lowest, highest = 1, present
        while highest < max(rpn.per_level):
            highest = min(2 * highest, max(rpn.per_level))
            if sum(min(highest, anchors) for anchors in rpn.per_level) > MOST_ENTRANTS:
                return
            yield from _ranks_that_help(trial, ranks, lowest, highest)
            lowest = highest + 1
            if trial.rois_left <= 0:
                return

    def passing() -> int | None:
        fitting = _fitting(trial, torch.arange(len(ranks), device=rpn.anchors.device)).cpu()
        out = ranks[fitting.numpy() & (ranks > present)]
        return int(out.min()) if len(out) else None

    return Search("rpn_pre_nms_top_n", values(), passing)


def search_overlap(trial: Trial) -> Search:
    """Values of `rpn_nms` at which NMS lets a proposal live that helps, or, limit apart, that fits."""
    ledger = trial.replay.proposals
    levels = {
        level: in_order(ledger.scores, ledger.entrants[ledger.labels[ledger.entrants] == level])
        for level in ledger.labels[ledger.entrants].unique().tolist()
    }
    tables = _Tables(trial, levels)

    def values() -> Iterator[float]:
        return tables.values(_helpers(trial, ledger.entrants), elsewhere=True)

    def passing() -> float | None:
        fitting = ledger.entrants[_fitting(trial, ledger.entrants)]
        return next(tables.values(fitting, elsewhere=False), None)

    return Search("rpn_nms", values(), passing)


class _Tables:
    """The pairs of each level that NMS compared, made when first asked for."""

    def __init__(self, trial: Trial, levels: dict[int, Tensor]) -> None:
        self._trial, self._levels = trial, levels
        self._known: dict[int, Pairs] = {}

    def values(self, wanted: Tensor, *, elsewhere: bool) -> Iterator[float]:
        """Thresholds at which any of the `wanted` anchors lives, and with `elsewhere` every change meanwhile."""
        members = {level: torch.isin(own, wanted).cpu().numpy() for level, own in self._levels.items()}
        own = [level for level, wants in members.items() if wants.any()]
        if not own or max(map(len, self._levels.values())) > MOST_PER_LEVEL:
            return iter(())

        def lives(kept: Sequence[Flags]) -> bool:
            return any(bool(kept[place][members[level]].any()) for place, level in enumerate(own))

        def others() -> list[Pairs]:
            return [self._pairs(level) for level in self._levels if level not in own] if elsewhere else []

        present = self._trial.present.rpn_nms
        return Suppression([self._pairs(level) for level in own], others, present, lives).values()

    def _pairs(self, level: int) -> Pairs:
        if level not in self._known:
            boxes = compared(self._trial.replay.proposals, self._levels[level])
            self._known[level] = pairs_in_order(boxes)
        return self._known[level]


def _ranks_that_help(trial: Trial, ranks: NDArray[np.int64], lowest: int, highest: int) -> list[int]:
    """Top-n values in a range under which a proposal that helps is kept, by distance from the present one.

    A higher top-n appends to each level what NMS and the other levels' proposals then compete with: NMS keeps
    of a level's first n what it keeps of all, among the first n. So one NMS knows who survives under each n,
    and a survivor is among the proposals until as many better ones have come as the limit allows.
    """
    wider = trial.present.replace(rpn_pre_nms_top_n=highest, rpn_post_nms_top_n=_NO_LIMIT)
    winners = trial.replayer.proposals(wider).winners
    own = ranks[winners.cpu().numpy()]
    limit, helpful = trial.present.rpn_post_nms_top_n, set(_helpers(trial, winners).tolist())
    useful = np.zeros(highest + 2, dtype=bool)
    for place, anchor in enumerate(winners.tolist()):
        if anchor in helpful:
            better = np.sort(own[:place])
            until = better[limit - 1] if len(better) >= limit else highest + 1
            useful[own[place] : max(until, own[place])] = True
    present = trial.present.rpn_pre_nms_top_n
    # Something comes at a rank going up, and goes just before one going down.
    changes = {int(rank) if rank > present else int(rank) - 1 for rank in own}
    found = [value for value in changes if lowest <= value <= highest and value != present and useful[value]]
    return sorted(found, key=lambda value: abs(value - present))


def _ranks(objectness: Tensor, per_level: Sequence[int]) -> NDArray[np.int64]:
    """Rank, from 1, of each anchor on its own level, int64 [N]."""
    ranks = torch.zeros(len(objectness), dtype=torch.int64)
    start = 0
    for count in per_level:
        order = objectness[start : start + count].topk(count).indices.cpu()
        ranks[start + order] = torch.arange(1, count + 1)
        start += count
    return ranks.numpy()


def _fitting(trial: Trial, anchors: Tensor) -> Tensor:
    """Which anchors' decoded boxes fit the object, bool."""
    return trial.fits(trial.replay.proposals.boxes[anchors])


def _helpers(trial: Trial, anchors: Tensor) -> Tensor:
    """Those of some anchors whose RoI would count for the object, in their order; see `Trial.look_at`."""
    if not trial.head_follows or len(anchors) == 0:
        return anchors[:0]
    pool, head = trial.look_at(anchors)
    return pool[trial.may_count(head)] if len(pool) else pool


def _first_helper(trial: Trial, anchors: Tensor) -> int | None:
    return _first(torch.isin(anchors, _helpers(trial, anchors)))


def _first(flags: Tensor) -> int | None:
    places = flags.nonzero().flatten()
    return int(places[0]) if len(places) else None
