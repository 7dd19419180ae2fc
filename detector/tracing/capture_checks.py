"""What is refused before a forward is run: an image or a target that does not fit the detector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from detector.data.ground_truth import GroundTruth
    from detector.data.images import InputImage
    from detector.models.detector import Detector


def check_shape(detector: Detector, source: InputImage) -> None:
    """Refuse an image so long that the model's resize leaves nothing of its shorter side.

    Raises:
        ValueError: such an image.
    """
    transform: Any = detector.model.transform
    if transform.fixed_size is not None or transform._skip_resize:
        return
    (short, long), most = sorted(source.size), transform.max_size
    if int(short * min(transform.min_size[-1] / short, most / long)) < 1:
        height, width = source.size
        raise ValueError(
            f"{source.name} is {width} x {height} px: resized to the model's {most} px its shorter side "
            "would vanish; crop it"
        )


def check_target(detector: Detector, source: InputImage, target: GroundTruth | None) -> None:
    """Refuse objects of categories that the detector does not have.

    Raises:
        ValueError: such an object.
    """
    if target is None or len(target) == 0:
        return
    highest = int(target.labels.max())
    if highest >= detector.num_classes:
        raise ValueError(
            f"{source.name}: an object has category {highest}, but {detector.name} knows "
            f"{detector.num_classes - 1} categories (1 to {detector.num_classes - 1})"
        )
