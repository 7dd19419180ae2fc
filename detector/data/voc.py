"""Pascal VOC data sets: a folder of XML files, one for each image.

Boxes in the files count pixels from 1 and include the last one; boxes handed out are xyxy in the image frame, x2
and y2 one past the last pixel: x1 = xmin - 1, y1 = ymin - 1, x2 = xmax, y2 = ymax.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from detector.data.annotated import AnnotatedFiles
from detector.data.mistakes import refuse
from detector.data.voc_folder import SPLITS, read_voc

if TYPE_CHECKING:
    from detector.data.items import Sample


class VocDataset(AnnotatedFiles):
    """Images with Pascal VOC annotations.

    Items are those of `AnnotatedFiles`: `image_id` is the place in the data set, `ids` number the objects of a file
    from 1. Objects that are marked `difficult` stay, with `difficult` and `iscrowd` set (bool [G]): VOC's own
    evaluation neither asks for them nor counts them as false, and its training leaves them out, which is what
    `iscrowd` does here. An image without an XML file, or without objects in it, stays.

    Args:
        folder: holds `Annotations/` and `JPEGImages/` (or `images/`), or the XML files beside the images.
        split: name of a list in `ImageSets/Main/`, such as `train`; every image of the folder when left out.

    Attributes:
        categories: K names, index 0 is background, the others by the alphabet: of all XML files in the folder, so
            that the splits of a folder agree.

    Raises:
        ValueError: no such folder or split, or mistakes in its files (the first few are named, the rest counted).
    """

    def __init__(self, folder: str | Path, split: str | None = None) -> None:
        self.folder, self.split = Path(folder), split
        content = read_voc(self.folder, split)
        refuse(content.root, content.mistakes)
        source = self.folder if split is None else self.folder / SPLITS / f"{split}.txt"
        super().__init__(self.folder, str(source), content.categories, content.images)

    def __getitem__(self, index: int) -> Sample:
        pixels, target = super().__getitem__(index)
        return pixels, {**target, "difficult": target["iscrowd"]}
