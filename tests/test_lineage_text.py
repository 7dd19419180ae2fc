"""A lineage as text: aligned, complete, and it names what removed a slot."""

from __future__ import annotations

import pytest
from support.traces import Candidate, hand_replay
from test_lineage import replay_of

from detector import trace_lineage
from detector.tracing.lineage import descendants_of, lineage_of_slot
from detector.tracing.lineage_records import Lineage
from detector.tracing.lineage_text import descendants_text, lineage_text


def numbers(lineage: Lineage) -> list[str]:
    assert lineage.anchor is not None and lineage.proposal is not None and lineage.target is not None
    return [
        f"{lineage.anchor.index:,}", f"{lineage.proposal.level_rank:,} of {lineage.proposal.level_count:,}",
        f"{lineage.proposal.rank:,} of {lineage.proposal.count:,}", f"{lineage.proposal.probability:.3f}",
        f"{lineage.slot.score:.3f}", f"{lineage.slot.deltas[2]:+.3f}", f"{lineage.slot.after.image[0]:.1f}",
        f"{lineage.slot.after.network[0]:.1f}", f"refined {lineage.target.refined_iou:.3f}",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["pyramid_best_class", "single map"])
def test_text_is_aligned_and_says_every_number(name: str) -> None:
    replay = replay_of(name)
    lineage = trace_lineage(replay, 0, target=0)
    text = lineage_text(lineage, replay.trace.categories)
    for number in numbers(lineage):
        assert number in text
    lines = text.splitlines()
    assert [line.split("  ")[0] for line in lines if not line.startswith(" ")] == [
        "anchor", "proposal", "RoI", "class slot", "detection", "object", "IoU with it",
    ]  # fmt: skip
    column = len("IoU with it") + 2
    assert all(len(line) <= 100 and line[column] != " " and line[column - 1] == " " for line in lines)


def test_text_names_what_removed_a_slot() -> None:
    replay = hand_replay(Candidate((0, 0, 20, 20)), Candidate((0, 0, 20, 22), scores=(0.3, 0.5, 0.1, 0.1)),
                         rpn_nms=1.0)  # fmt: skip
    text = lineage_text(lineage_of_slot(replay, 3), replay.trace.categories)
    assert "suppressed by slot 0 (IoU 0.91)" in text
    assert text.splitlines()[-1].split() == ["detection", "none"]
    assert "removed in NMS: 3 slots: 3, 4, 5" in descendants_text(
        descendants_of(replay, 0), replay.trace.categories
    )
