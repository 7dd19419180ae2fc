"""One door to every detector: the bundled one, torchvision's, and checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path

import torch
from torchvision.models import detection as torchvision_detection
from torchvision.models import get_model_weights
from torchvision.models._api import WeightsEnum

from detector.models.architectures import Hints
from detector.models.blueprints import Blueprint
from detector.models.checkpoints import load_checkpoint
from detector.models.detector import Detector
from detector.models.downloads import Progress, cached_file, download_weights, fetch_weights
from detector.models.families import TORCHVISION_NAMES
from detector.models.published import coco_names

BUNDLED = "shapes"
_BUNDLED_FILE = files("detector.models") / "weights" / "shapes.safetensors"
_BACKGROUND_NAMES = ("background", "__background__")


def load_detector(
    source: str | Path,
    *,
    weights: str | WeightsEnum | None = None,
    categories: Sequence[str] | None = None,
    architecture: str | None = None,
    anchor_sizes: Sequence[Sequence[float]] | None = None,
    aspect_ratios: Sequence[float] | None = None,
    min_size: int | None = None,
    max_size: int | None = None,
    norm_eps: float | None = None,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
) -> Detector:
    """Load a detector, ready to be looked at: in eval mode, with the names of its categories.

    Args:
        source: `shapes` (bundled), the name of a torchvision detector, or the path of a checkpoint.
        weights: for a torchvision name: `DEFAULT` or another name of its weights enum (downloaded once, then
            kept in torch hub's cache), or None for random weights.
        categories: K names with the background at index 0, or K-1 without it; those of the weights or the
            file when left out. With random weights they set the number of classes.
        architecture: of a checkpoint whose tensors fit two: `fasterrcnn_mobilenet_v3_large_fpn` or
            `fasterrcnn_mobilenet_v3_large_320_fpn`.
        anchor_sizes: of a checkpoint with other anchors than its architecture's: side in network pixels, one
            tuple per level, finest first.
        aspect_ratios: height / width of those anchors, the same on every level; (0.5, 1, 2) when left out.
        min_size, max_size: bounds of the network input's shorter and longer side, in pixels, of a checkpoint
            that does not say them.
        norm_eps: epsilon of the frozen BatchNorm of a checkpoint trained from torchvision's COCO_V1 (0.0).
        device: where the model goes.
        progress: told bytes so far and bytes in all while `weights` are downloaded; None writes them on the
            terminal.

    Raises:
        ValueError: an unknown name, a file that cannot be loaded completely and exactly, a question that only
            the caller can answer (with the keyword that answers it), or weights that are neither in the
            cache nor to be had from the network.
        TypeError: a source of another kind.
    """
    if not isinstance(source, str | Path):
        raise TypeError(
            f"a detector was given as {type(source).__name__}; expected a name or a path "
            "(a model of your own goes into Detector.wrap)"
        )
    hints = Hints(architecture, anchor_sizes, aspect_ratios, min_size, max_size, norm_eps)
    if source in TORCHVISION_NAMES:
        _refuse_hints(hints, str(source))
        detector = _load_torchvision(str(source), weights, categories, progress)
    elif weights is not None:
        raise ValueError(f"weights={weights!r} goes with a torchvision name only; {source} brings its own")
    elif source == BUNDLED:
        _refuse_hints(hints, BUNDLED)
        detector = _load_bundled(categories)
    else:
        _refuse_unknown(source)
        detector = load_checkpoint(source, hints=hints, categories=categories)
    detector.model.to(device)
    return detector


def download(name: str, weights: str | WeightsEnum = "DEFAULT", progress: Progress | None = None) -> None:
    """Bring the weights of a torchvision detector into torch hub's cache, unless they lie there.

    Args:
        name: of the detector.
        weights: as in `load_detector`.
        progress: as in `load_detector`.

    Raises:
        ValueError: a name without such weights, or they cannot be downloaded whole.
    """
    download_weights(_choose_weights(name, weights), progress)


def detector_names() -> tuple[str, ...]:
    """The names that `load_detector` knows, the bundled one first."""
    return BUNDLED, *TORCHVISION_NAMES


def _refuse_hints(hints: Hints, name: str) -> None:
    if hints.given():
        raise ValueError(f"{hints.given()[0]}= goes with a checkpoint only; {name} has its own")


def _refuse_unknown(source: str | Path) -> None:
    """A bare word that is no file is a misspelt name, not a missing file."""
    path = Path(source)
    if isinstance(source, str) and path.name == source and not path.suffix and not path.exists():
        raise ValueError(
            f"there is no detector {source!r}; give a path or one of {', '.join(detector_names())}"
        )


def _load_bundled(categories: Sequence[str] | None) -> Detector:
    with as_file(_BUNDLED_FILE) as path:
        return load_checkpoint(path, categories=categories, name=BUNDLED)


def _load_torchvision(
    name: str,
    weights: str | WeightsEnum | None,
    categories: Sequence[str] | None,
    progress: Progress | None,
) -> Detector:
    if weights is None:
        return _load_random(name, categories)
    chosen = _choose_weights(name, weights)
    fetch_weights(chosen, progress)
    try:
        with torch.random.fork_rng(devices=[]):
            model = getattr(torchvision_detection, name)(weights=chosen).eval()
    except RuntimeError as error:
        raise ValueError(
            f"{cached_file(chosen)} does not fit {name}; delete it, and it is fetched again"
        ) from error
    return Detector.wrap(model, categories or chosen.meta["categories"], name=name)


def _load_random(name: str, categories: Sequence[str] | None) -> Detector:
    names = coco_names(name) if categories is None else _with_background(categories)
    model = Blueprint(name, {"num_classes": len(names)}).build()
    note = 'the weights are random: its detections mean nothing (give weights="DEFAULT" for trained ones)'
    return replace(Detector.wrap(model, names, name=name), notes=(note,))


def _with_background(categories: Sequence[str]) -> tuple[str, ...]:
    first = tuple(categories)[:1]
    return tuple(categories) if first and first[0] in _BACKGROUND_NAMES else ("background", *categories)


def _choose_weights(name: str, weights: str | WeightsEnum) -> WeightsEnum:
    enum = get_model_weights(name)
    known = enum.__members__
    if isinstance(weights, enum):
        return weights
    member = known.get(weights.removeprefix(f"{enum.__name__}.")) if isinstance(weights, str) else None
    if member is None:
        raise ValueError(f"{name} has no weights {weights!r}; there are {', '.join(known)}")
    return member
