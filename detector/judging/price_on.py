"""What a change of thresholds costs on a whole data set: one image at a time, nothing kept but the counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from detector.data.categories import label_map, refuse_unknown
from detector.explaining.ladder import diagnose
from detector.explaining.price import Price, price_between
from detector.judging.image_work import ImageWork, image_name

if TYPE_CHECKING:
    from detector.data.coco_export import AnnotatedImages
    from detector.models.detector import Detector
    from detector.tracing.thresholds import Thresholds


@dataclass(frozen=True, slots=True)
class DatasetPrice:
    """What comes and goes over the images that were looked at; see `Price` for the words.

    Args:
        images: how many were compared.
        objects: in them, crowd regions apart.
        came_true, came_false, went_true, went_false: detections.
        turned_true, turned_false: detections that stay and match what they did not match before, or no more.
        more_true, more_false: by how much their numbers rise, all in all.
        found, lost: objects, as (image index, index in its ground truth).
        skipped: names of images that could not be used.
    """

    images: int = 0
    objects: int = 0
    came_true: int = 0
    came_false: int = 0
    went_true: int = 0
    went_false: int = 0
    turned_true: int = 0
    turned_false: int = 0
    more_true: int = 0
    more_false: int = 0
    found: tuple[tuple[int, int], ...] = ()
    lost: tuple[tuple[int, int], ...] = ()
    skipped: tuple[str, ...] = ()

    @property
    def came(self) -> int:
        """True and false detections that are new."""
        return self.came_true + self.came_false

    @property
    def went(self) -> int:
        """True and false detections that are gone."""
        return self.went_true + self.went_false


def price_on(
    detector: Detector,
    dataset: AnnotatedImages,
    before: Thresholds,
    after: Thresholds,
    iou: float = 0.5,
    progress: Callable[[int, int], None] | None = None,
) -> DatasetPrice:
    """The price of going from one set of thresholds to another one, on every image of a data set.

    Each image is captured once, under the detector's own thresholds, and replayed under both. The detector is
    left as it was, also when Ctrl+C ends the work; whoever wants what was counted until then asks `prices_on`.

    Args:
        detector: the model.
        dataset: as `open_dataset` gives it; categories are matched by name.
        before, after: the thresholds.
        iou: the overlap that counts as found.
        progress: told (images done, images in all) after each image.

    Raises:
        ValueError: an IoU outside (0, 1], or objects of a category that the detector does not know.
    """
    price = DatasetPrice()
    for price in prices_on(detector, dataset, before, after, iou):
        if progress is not None:
            progress(price.images + len(price.skipped), len(dataset))
    return price


def prices_on(
    detector: Detector,
    dataset: AnnotatedImages,
    before: Thresholds,
    after: Thresholds,
    iou: float = 0.5,
) -> Iterator[DatasetPrice]:
    """As `price_on`, giving the price so far after each image; stop whenever it is enough."""
    if not 0 < iou <= 1:
        raise ValueError(f"iou is {iou}; expected a number above 0 and up to 1")
    names = dataset.categories
    used = getattr(dataset, "labels_used", range(1, len(names)))
    refuse_unknown(names, detector.categories, used, detector.name)
    work = ImageWork(detector, dataset, label_map(names, detector.categories), before, iou, remedies=False)
    total = DatasetPrice()
    for index in range(len(dataset)):
        try:
            objects, price = _of_image(work, index, after)
            total = _added(total, index, objects, price)
        except (ValueError, OSError):
            total = replace(total, skipped=(*total.skipped, image_name(dataset, index)))
        yield total


def _of_image(work: ImageWork, index: int, after: Thresholds) -> tuple[int, Price]:
    """How many objects an image has, and the price of the change on it."""
    replayer, truth, _ = work.look(index)
    old, new = (diagnose(replayer.replay(one), truth, work.iou) for one in (work.thresholds, after))
    return len(old.verdicts), price_between(old, new)


def _added(total: DatasetPrice, index: int, objects: int, price: Price) -> DatasetPrice:
    return replace(
        total,
        images=total.images + 1,
        objects=total.objects + objects,
        came_true=total.came_true + len(price.came_true),
        came_false=total.came_false + len(price.came_false),
        went_true=total.went_true + len(price.went_true),
        went_false=total.went_false + len(price.went_false),
        turned_true=total.turned_true + len(price.turned_true),
        turned_false=total.turned_false + len(price.turned_false),
        more_true=total.more_true + price.more_true,
        more_false=total.more_false + price.more_false,
        found=(*total.found, *((index, one) for one in price.found)),
        lost=(*total.lost, *((index, one) for one in price.lost)),
    )
