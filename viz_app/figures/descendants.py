"""What came of one anchor, as words and as a table; the reverse of a lineage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from viz_app.figures.lineage import slot_words
from viz_app.figures.palette import fate_words
from viz_app.figures.words import plural, size_words
from viz_app.links import Selected

if TYPE_CHECKING:
    from detector.tracing.lineage_records import Descendants
    from detector.tracing.replay import Replay


def descendants_table(replay: Replay, descendants: Descendants) -> pd.DataFrame:
    """One row for each class slot that came of an anchor, the most probable first; sizes in px, image frame."""
    names = replay.trace.categories
    return pd.DataFrame(
        {
            "category": [names[slot.label] for slot in descendants.slots],
            "probability": [slot.score for slot in descendants.slots],
            "fate": [fate_words(slot.fate) for slot in descendants.slots],
            "size, px": [size_words(slot.after.image) for slot in descendants.slots],
            "removed by": [
                "" if slot.suppressor is None else slot_words(replay, slot.suppressor)
                for slot in descendants.slots
            ],
        }
    )


def descendants_items(descendants: Descendants) -> tuple[Selected, ...]:
    """What selects each row of `descendants_table`."""
    anchor = descendants.anchor.index
    return tuple(Selected("detection", anchor, slot.label) for slot in descendants.slots)


def descendants_words(descendants: Descendants) -> str:
    """What came of an anchor, in two sentences."""
    step, slots = descendants.proposal, len(descendants.suppressed_slots)
    by = "" if step.suppressor is None else f" by the box of anchor {step.suppressor:,}"
    what = f"lost: {fate_words(step.fate)}{by}" if step.place is None else f"kept as proposal {step.place:,}"
    boxes = {0: "", 1: " It removed one other box in NMS."}
    removed = boxes.get(
        len(descendants.suppressed), f" It removed {len(descendants.suppressed):,} other boxes in NMS."
    )
    if descendants.roi is None:
        return f"Its box was {what}.{removed} Nothing of it reached the second stage."
    rest = f", and its slots removed {plural(slots, 'slot')} of other RoIs" if slots else ""
    detections = plural(len(descendants.detections), "detection")
    return (
        f"Its box was {what}.{removed} As RoI {descendants.roi.index:,} it led to "
        f"{detections if descendants.detections else 'no detection'}{rest}."
    )
