"""D8: the best and the worst images of a data set, as small pictures with what was found, lost and made up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.judging.image_scores import worst_by_ap
from viz_app.figures.gallery import Card, crop_picture
from viz_app.figures.side_by_side import outcome_groups
from viz_app.figures.words import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from detector.judging.evaluation_records import ImageScore
    from viz_app.figures.side_by_side import SeenObject
    from viz_app.jobs.kept_reports import KeptDetection


def ranking_words(images: Sequence[ImageScore]) -> str:
    """What is seen in the ranking, in one sentence."""
    ranked = worst_by_ap(images)
    if not ranked:
        return "No image holds an object, so none can be ranked."
    clean = sum(one.found == one.objects and one.false_positives == 0 for one in ranked)
    low = ranked[0]
    return (
        f"On {clean:,} of {plural(len(ranked), 'image')} everything is found and nothing made up; {low.image} is "
        f"worst with AP {low.AP or 0.0:.2f}: {low.found:,} of {plural(low.objects, 'object')} found, "
        f"{plural(low.false_positives, 'false positive')}."
    )


def image_card(
    score: ImageScore,
    pixels: Tensor,
    seen: Sequence[SeenObject],
    detections: Sequence[KeptDetection],
    categories: Sequence[str],
) -> Card:
    """One image with its boxes.

    Args:
        score: of the image.
        pixels: uint8 [3, H, W].
        seen: its objects.
        detections: what was found.
        categories: the detector's K names.
    """
    groups = [group for group in outcome_groups(seen, detections, categories) if len(group)]
    picture = crop_picture(pixels, (0, 0, pixels.shape[2], pixels.shape[1]), groups)
    loss = "" if score.loss is None else f"loss {score.loss:.2f}, "
    note = f"{loss}{score.found:,} of {score.objects:,} found, {score.false_positives:,} false"
    title = "no object" if score.AP is None else f"AP {score.AP:.2f}"
    return Card(title, note, score.image, picture, f"{score.image}: {title}, {note}: open it")
