"""Whether an image fits into memory, estimated before anything is computed.

The estimate follows a `GeneralizedRCNN` with a feature pyramid stage by stage, counting what a trace keeps and the
largest thing that comes and goes meanwhile. docs/robustness.md says how far off it is.

Shapes: `A` anchors per cell, `K` categories with background, `R` RoIs. Sizes are (height, width).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detector.models.detector import Detector

Size = tuple[int, int]

SMALL = 256 * 2**20
"""Bytes that are asked of no system: what takes less is simply tried."""
_CGROUP = Path("/sys/fs/cgroup")
_CGROUP_FILES = (
    ("memory.max", "memory.current", "memory.stat", ("active_file", "inactive_file")),
    (
        "memory/memory.limit_in_bytes",
        "memory/memory.usage_in_bytes",
        "memory/memory.stat",
        ("total_active_file", "total_inactive_file"),
    ),
)
"""Limit, use, statistics and the names of the files' cache there; of version 2 and of version 1."""
_FLOAT = 4
_ANCHOR_BYTES, _SLOT_BYTES = 120, 100
"""Of an anchor and of a class slot, through decoding, both filters and their ledgers."""
_COARSEST = 32


def refuse_too_large(detector: Detector, size: Size, name: str) -> None:
    """Refuse an image of which the forward and its trace would not fit into memory.

    Args:
        detector: the model, with the settings of its resize.
        size: (H, W) of the image.
        name: of the image, for the sentence.

    Raises:
        ValueError: such an image, with the remedy.
    """
    try:
        needed = bytes_needed(detector, size)
    except (AttributeError, LookupError, TypeError, StopIteration):
        return  # a model put together in another way: it is simply tried
    if needed <= SMALL:
        return
    free = bytes_free(next(detector.model.parameters()).device)
    if needed <= free:
        return
    height, width = network_size(detector.model.transform, size)
    takes = (
        f"{name} ({size[1]} x {size[0]} px) would take about {_in_words(needed)} of memory in {detector.name}"
    )
    raise ValueError(
        f"{takes}, which makes it {width} x {height} px; {_in_words(free)} are free. Set the model's min_size and "
        "max_size lower, or its rpn_post_nms_top_n"
    )


def bytes_needed(detector: Detector, size: Size) -> int:
    """What a capture of an image takes at its peak, about, without the model's own weights.

    Args:
        detector: the model, with the settings of its resize and its thresholds.
        size: (H, W) of the image.
    """
    model: Any = detector.model
    height, width = network_size(model.transform, size)
    pixels, body = height * width, list(_body_maps(model.backbone))
    squares = [1 / stride**2 for _, stride in body] or [1 / (_COARSEST // 2) ** 2]
    kept = sum(channels / stride**2 for channels, stride in body)
    pyramid = 2 * model.backbone.out_channels * (sum(squares) + squares[0])
    anchors = pixels * sum(squares) * max(model.rpn.anchor_generator.num_anchors_per_location())
    later = (
        _FLOAT * pixels * (kept + pyramid) + anchors * _ANCHOR_BYTES + _head_bytes(detector, size, anchors)
    )
    at_first = _FLOAT * pixels * _body_floats(model.backbone, body)
    image = _FLOAT * (4 * size[0] * size[1] + 6 * pixels)
    return int(image + max(at_first, later))


def bytes_free(device: torch.device) -> int:
    """Memory that a process can still get there: of the machine, or less where its control group has a limit."""
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    return min(psutil.virtual_memory().available, *_cgroup_free(_CGROUP))


def network_size(transform: Any, size: Size) -> Size:  # noqa: ANN401 - torchvision's, or one like it
    """(height, width) of an image after the model's resize, without padding; as it is where no resize is known."""
    if getattr(transform, "fixed_size", None) is not None:
        return transform.fixed_size[1], transform.fixed_size[0]
    if getattr(transform, "_skip_resize", False) or not hasattr(transform, "max_size"):
        return size
    scale = min(transform.min_size[-1] / min(size), transform.max_size / max(size))
    return int(size[0] * scale), int(size[1] * scale)


def _body_floats(backbone: nn.Module, body: list[tuple[int, int]]) -> float:
    """Floats for each pixel of the network's input that are alive at once where the body's maps are largest."""
    first = next((one for one in backbone.modules() if isinstance(one, nn.Conv2d)), None)
    stem = 0.0 if first is None else 2 * first.out_channels / (first.stride[0] * first.stride[1])
    return max(stem, 4 * body[0][0] / body[0][1] ** 2 if body else 0.0)


def _body_maps(backbone: Any) -> Iterator[tuple[int, int]]:  # noqa: ANN401
    """(channels, stride) of the maps that go into the pyramid; their strides double, and end at 32."""
    blocks: Any = getattr(getattr(backbone, "fpn", None), "inner_blocks", ())
    for place, block in enumerate(blocks):
        convolution = next(one for one in block.modules() if isinstance(one, nn.Conv2d))
        yield convolution.in_channels, _COARSEST >> (len(blocks) - 1 - place)


def _head_bytes(detector: Detector, size: Size, anchors: float) -> float:
    """RoIs with their features and class slots; and masks, which are drawn as large as the image."""
    model: Any = detector.model
    heads, classes = model.roi_heads, detector.num_classes
    rois = min(anchors, model.rpn.post_nms_top_n())
    side = heads.box_roi_pool.output_size
    copies = 4 if any(isinstance(one, nn.Conv2d) for one in heads.box_head.modules()) else 2
    pooled = copies * model.backbone.out_channels * side[0] * side[1] * _FLOAT
    found = rois * (pooled + classes * _SLOT_BYTES)
    if getattr(heads, "mask_predictor", None) is not None:
        most = min(heads.detections_per_img, rois * max(1, classes - 1))
        found += most * (size[0] * size[1] * _FLOAT + 4 * model.backbone.out_channels * 28 * 28 * _FLOAT)
    return found


def _cgroup_free(folder: Path) -> list[int]:
    """What a control group leaves; nothing where it has no limit.

    Cached files are given back, those that were read twice too: a data set that was read would else count as used.
    """
    for limit, used, stat, cached in _CGROUP_FILES:
        try:
            most = int((folder / limit).read_text())
            now = int((folder / used).read_text())
            lines = dict(line.split() for line in (folder / stat).read_text().splitlines())
            return [max(0, most - now + sum(int(lines.get(name, 0)) for name in cached))]
        except (OSError, ValueError):  # not there, or the word `max`
            continue
    return []


def _in_words(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"
