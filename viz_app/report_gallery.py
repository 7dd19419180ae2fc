"""The lost objects of a report: cards to choose from, and the image of the chosen one on a canvas."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from html import escape
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

from torch.nn.functional import interpolate

from viz_app.canvas.packet import pack
from viz_app.figures.gallery import card_groups, crop_picture, crop_window, picture_uri
from viz_app.figures.gallery_cards import best_detection
from viz_app.figures.kept_boxes import LOST_GROUP, kept_groups, place_of_lost
from viz_app.figures.picture import legend_html
from viz_app.figures.words import plural, rung_name
from viz_app.report_parts import Trusted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torch import Tensor

    from detector.data.coco_export import AnnotatedImages
    from detector.judging.kept_run import KeptRun
    from detector.judging.rows import ImageReport, ObjectRow
    from viz_app.figures.picture import BoxGroup

MOST_CARDS = 60
_SIDE = 900
_FOUND = "FOUND"


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """Lost objects.

    Args:
        html: the cards and the place of the canvas.
        packets: what the canvas draws, by image.
        shown, lost: how many are in it, and how many there are.
    """

    html: Trusted
    packets: dict[str, bytes]
    shown: int
    lost: int


def lost_gallery(run: KeptRun, dataset: AnnotatedImages, most: int = MOST_CARDS) -> Gallery:
    """A card for each lost object, every rung in turn where there are too many for one file.

    Args:
        run: read from its folder.
        dataset: the one the run is about; images are read from it.
        most: cards.

    Raises:
        ValueError, OSError: an image cannot be read.
    """
    lost = [(report, row) for report in run.reports for row in report.objects if row.rung != _FOUND]
    chosen = _some_of_each_rung(lost, most)
    cards, packets, groups = [], {}, {}
    pixels: Tensor | None = None
    for report, row in sorted(chosen, key=lambda pair: (pair[0].index, pair[1].object)):
        name = f"image-{report.index}"
        if name not in packets or pixels is None:
            pixels = dataset[report.index][0]
            groups = kept_groups(report, run.categories)
            packets[name] = pack(*_shrunk(pixels, [_calm(group) for group in groups]))
        cards.append(_card(report, row, pixels, name))
    legend = legend_html([replace(group, counted=False) for group in groups]) if groups else ""
    rows = [row for _, row in chosen]
    html = _browser(cards, _choices(rows), legend)
    return Gallery(html, packets, len(cards), len(lost))


def _some_of_each_rung(
    lost: Sequence[tuple[ImageReport, ObjectRow]], most: int
) -> list[tuple[ImageReport, ObjectRow]]:
    by_rung: dict[str, list[tuple[ImageReport, ObjectRow]]] = defaultdict(list)
    for report, row in lost:
        by_rung[row.rung].append((report, row))
    in_turn = chain.from_iterable(zip_longest(*by_rung.values()))
    return [pair for pair in in_turn if pair is not None][:most]


def _calm(group: BoxGroup) -> BoxGroup:
    """Only lost objects wear a label: the others say what they are under the pointer."""
    return group if group.name == LOST_GROUP else replace(group, labels=())


def _shrunk(pixels: Tensor, groups: Sequence[BoxGroup]) -> tuple[Tensor, list[BoxGroup]]:
    """The image with its boxes at 900 px on the longer side at most: a report holds many."""
    height, width = pixels.shape[1:]
    scale = _SIDE / max(height, width)
    if scale >= 1:
        return pixels, list(groups)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    small = interpolate(pixels[None].float(), size=size, mode="bilinear", antialias=True)[0]
    factor = pixels.new_tensor([], dtype=small.dtype).new_tensor([size[1] / width, size[0] / height] * 2)
    return small.round().clamp(0, 255).byte(), [
        replace(group, boxes=group.boxes * factor) for group in groups
    ]


def _card(report: ImageReport, row: ObjectRow, pixels: Tensor, name: str) -> str:
    box = row.x1, row.y1, row.x2, row.y2
    near = best_detection(box, row.object, report.detections)  # pyright: ignore[reportArgumentType]
    window = crop_window(box, (pixels.shape[1], pixels.shape[2]))
    picture = crop_picture(pixels, window, card_groups(box, None if near is None else near.box, right=False))
    place = place_of_lost(report, row.object)
    assert place is not None
    title, rung = f"#{row.object} {row.category}", rung_name(row.rung)
    data = {
        "image": name,
        "box": f"{place[0]}.{place[1]}",
        "rung": row.rung,
        "category": row.category,
        "about": f"{title} on {report.image}: lost at {rung}",
        "reason": _sentence(row.reason),
    }
    told = " ".join(f'data-{key}="{escape(value)}"' for key, value in data.items())
    return (
        f'<button type="button" aria-pressed="false" {told} aria-label="{escape(data["about"])}">'
        f'<img src="{picture_uri(picture)}" alt="">'
        f'<span class="title"><em>{escape(title)}</em></span>'
        f'<span class="note">{escape(rung)} · {escape(report.image)}</span></button>'
    )


def _choices(rows: Iterable[ObjectRow]) -> str:
    """Buttons for the rungs and a list of the categories."""
    rows = list(rows)
    rungs, categories = Counter(row.rung for row in rows), Counter(row.category for row in rows)
    chips = "".join(
        f'<button type="button" data-narrow="{escape(rung)}" aria-pressed="false">{escape(rung_name(rung))} '
        f"{count:,}</button>"
        for rung, count in rungs.most_common()
    )
    options = "".join(
        f'<option value="{escape(name)}">{escape(name)} {count:,}</option>'
        for name, count in _sorted(categories)
    )
    return (
        f'<div class="choices">{chips}<select aria-label="Category"><option value="">all categories</option>'
        f'{options}</select><span class="shown" aria-live="polite"></span></div>'
    )


def _browser(cards: Sequence[str], choices: str, legend: str) -> Trusted:
    return Trusted(
        f'<div data-gallery>{choices}<div class="browser"><div class="cards of-gallery"><div class="gallery">'
        f'{"".join(cards)}</div></div><div class="viewer"><p class="about"></p><div class="report-canvas"></div>'
        f'<p class="reason"></p>{legend}</div></div></div>'
    )


def gallery_lead(gallery: Gallery) -> str:
    """What is in the gallery, in a sentence."""
    if gallery.shown == gallery.lost:
        return (
            f"{plural(gallery.lost, 'object')}; choose one to see it on its image. Boxes say what they are."
        )
    return (
        f"{gallery.shown:,} of {gallery.lost:,} lost objects, some of every rung; choose one to see it on its "
        "image. Boxes say what they are."
    )


def _sentence(reason: str) -> str:
    said = reason.strip()
    return said[:1].upper() + said[1:] + ("" if said.endswith((".", "!", "?")) or not said else ".")


def _sorted(counts: Counter[str]) -> Iterator[tuple[str, int]]:
    yield from sorted(counts.items())
