"""D10 for one cell of the confusion matrix: each object with the very detection that it was given to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viz_app.figures.gallery import Card, card_groups, crop_picture, crop_window
from viz_app.figures.gallery_cards import Item, image_name
from viz_app.links import Selected

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from detector.data.datasets import AnyDataset
    from detector.judging.confusion_cells import ConfusedPair


def confusion_items(
    pairs: Sequence[ConfusedPair],
    dataset: AnyDataset,
    categories: Sequence[str],
    anchors: Mapping[tuple[int, int], int],
) -> list[Item]:
    """A card for each pair.

    Args:
        pairs: of one cell.
        dataset: opened.
        categories: the detector's K names, index 0 is background.
        anchors: the anchor of a detection by (image, detection), where it is known: a click selects it.
    """
    pixels: dict[int, Tensor] = {}
    items = []
    for pair in pairs:
        if pair.image_index not in pixels:
            pixels[pair.image_index] = dataset[pair.image_index][0]
        place = image_name(dataset, pair.image_index)
        card = _card(pair, pixels[pair.image_index], place, categories)
        items.append(Item(card, pair.image_index, _selected(pair, anchors)))
    return items


def _card(pair: ConfusedPair, pixels: Tensor, place: str, categories: Sequence[str]) -> Card:
    box = pair.object_box or pair.detection_box
    assert box is not None
    groups = card_groups(pair.object_box, pair.detection_box, right=pair.true == pair.found)
    window = crop_window(box, (pixels.shape[1], pixels.shape[2]))
    found = "" if pair.score is None else f"{categories[pair.found]} {pair.score:.2f}"
    if pair.object < 0:
        title, note = found, "on no object"
    else:
        title = f"#{pair.object} {categories[pair.true]}"
        note = f"found as {found}" if found else "not found as anything"
    return Card(title, note, place, crop_picture(pixels, window, groups))


def _selected(pair: ConfusedPair, anchors: Mapping[tuple[int, int], int]) -> Selected | None:
    if pair.object >= 0:
        return Selected("object", pair.object)
    anchor = anchors.get((pair.image_index, pair.detection), -1)
    return Selected("detection", anchor, pair.found) if anchor >= 0 else None
