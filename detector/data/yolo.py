"""YOLO data sets as Ultralytics lays them out: `data.yaml`, images, and one text file of boxes for each image.

A line is `class cx cy width height`, as shares of the image's sides; boxes handed out are xyxy pixels in the image
frame.
"""

from __future__ import annotations

from pathlib import Path

from detector.data.annotated import AnnotatedFiles
from detector.data.mistakes import refuse
from detector.data.yolo_folder import find_yolo, read_yolo


class YoloDataset(AnnotatedFiles):
    """Images with YOLO labels.

    Items are those of `AnnotatedFiles`: `image_id` is the place in the data set, `ids` are line numbers, `iscrowd`
    is never set. An image without a label file, or with an empty one, stays without objects. Boxes that leave their
    image by up to a hundredth of its side are clipped; what leaves it further is refused.

    Args:
        path: the folder with `data.yaml`; the YAML file; a folder of images below it, which is then the split; or a
            folder with `classes.txt` instead.
        split: key of the YAML file, such as `train`; all images of `train`, `val` and `test` when left out.

    Attributes:
        categories: K names, index 0 is background, the others in order of their class numbers.
        category_ids: their K-1 numbers in the label files: label `k` is class `category_ids[k - 1]`.
        config_file: the YAML file, or `classes.txt`.

    Raises:
        ValueError: no such data set or split, or mistakes in its files (the first few are named, the rest counted).
    """

    def __init__(self, path: str | Path, split: str | None = None) -> None:
        self.layout = find_yolo(Path(path), split)
        self.config_file, self.category_ids = self.layout.config, tuple(self.layout.names)
        content = read_yolo(self.layout)
        refuse(content.root, content.mistakes)
        places = self.layout.places
        source = path if split is None else places[0] if len(places) == 1 else self.config_file
        super().__init__(content.root, str(source), content.categories, content.images)
