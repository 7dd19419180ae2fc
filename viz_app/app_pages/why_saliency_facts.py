"""Saliency and occlusion maps of the images that are looked at, worked out once and gone with their image.

Kept by the replayer, which is one detector's capture of one image: no two contents can meet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from detector.explaining.logits import AnyLogit, ClassLogit
from detector.explaining.occlusion import OcclusionMap, occlusion_map
from detector.explaining.saliency import Saliency, saliency_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from detector.tracing.replay import Replayer
    from viz_app.scene import Scene

QUICK_PIXELS = 2**19
"""Pixels of a network input up to which the gradient is worked out unasked: torchvision's 800 px are more."""
_MOST = 16  # of each kind and image: the map of a large photo takes 4 MB
_SALIENCY: WeakKeyDictionary[Replayer, dict[str, Saliency]] = WeakKeyDictionary()
_OCCLUSION: WeakKeyDictionary[Replayer, dict[str, OcclusionMap]] = WeakKeyDictionary()


def is_quick(scene: Scene, about: AnyLogit) -> bool:
    """Whether the saliency of a logit is known, or the input so small that a few of its forwards go unnoticed."""
    return scene.trace.input.tensor[0].numel() <= QUICK_PIXELS or _key(about) in _SALIENCY.get(
        scene.replayer, {}
    )


def saliency_about(scene: Scene, about: AnyLogit) -> Saliency:
    """`saliency_of`, kept; raises what it raises, and ModelNeeded."""
    known = _SALIENCY.setdefault(scene.replayer, {})
    key = _key(about)
    if key not in known:
        if len(known) >= _MOST:
            known.clear()
        known[key] = saliency_of(scene.detector, scene.trace, about)
    return known[key]


def known_occlusion(scene: Scene, about: AnyLogit) -> OcclusionMap | None:
    """The last occlusion map of a logit; None before there is one."""
    return _OCCLUSION.get(scene.replayer, {}).get(_key(about))


def occlusion_of(
    scene: Scene,
    about: AnyLogit,
    patch: int,
    stride: int,
    region: Tensor | None,
    progress: Callable[[int, int], None],
) -> OcclusionMap:
    """`occlusion_map`, kept as the one of this logit; raises what it raises, and ModelNeeded."""
    found = occlusion_map(
        scene.detector, scene.trace, about, patch=patch, stride=stride, region=region, progress=progress
    )
    known = _OCCLUSION.setdefault(scene.replayer, {})
    if len(known) >= _MOST:
        known.clear()
    known[_key(about)] = found
    return found


def _key(about: AnyLogit) -> str:
    """Text that names a logit exactly."""
    if isinstance(about, ClassLogit):
        return f"class {about.label} of {','.join(value.hex() for value in about.box.tolist())}"
    return f"anchor {about.anchor}"
