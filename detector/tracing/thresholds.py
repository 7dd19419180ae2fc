"""The knobs of the two filters, validated once, read from a model and written to it."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detector.models.detector import TwoStageModel

_SHARES = ("rpn_nms", "rpn_score", "box_score", "box_nms")
_COUNTS = ("rpn_pre_nms_top_n", "rpn_post_nms_top_n", "box_limit")


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Thresholds of the RPN filter and of the box filter, as torchvision names and applies them.

    Args:
        rpn_pre_nms_top_n: candidates kept per pyramid level before the RPN's NMS.
        rpn_post_nms_top_n: proposals kept per image after it.
        rpn_nms: IoU above which a lower-ranked proposal of the same level is suppressed.
        rpn_score: objectness probability a proposal must reach (>=).
        box_score: class probability a detection must exceed (>).
        box_nms: IoU above which a lower-ranked detection of the same class is suppressed.
        box_limit: detections kept per image.

    Raises:
        ValueError: a share outside [0, 1] or not finite, or a count below 1 or not whole.
    """

    rpn_pre_nms_top_n: int = 1000
    rpn_post_nms_top_n: int = 1000
    rpn_nms: float = 0.7
    rpn_score: float = 0.0
    box_score: float = 0.05
    box_nms: float = 0.5
    box_limit: int = 100

    def __post_init__(self) -> None:
        for name in _SHARES:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise ValueError(f"{name} is {value!r}; expected a number from 0 to 1")
            if not 0 <= value <= 1:
                raise ValueError(f"{name} is {value}; expected a number from 0 to 1")
            object.__setattr__(self, name, float(value))
        for name in _COUNTS:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} is {value!r}; expected a whole number of 1 or more")

    def replace(self, **changes: float) -> Thresholds:
        """A copy with some fields changed; raises ValueError naming a field that does not exist."""
        unknown = set(changes) - {field.name for field in dataclasses.fields(self)}
        if unknown:
            names = ", ".join(field.name for field in dataclasses.fields(self))
            raise ValueError(f"no threshold is called {sorted(unknown)[0]!r}; there are {names}")
        return dataclasses.replace(self, **changes)

    @classmethod
    def from_model(cls, model: TwoStageModel, *, training: bool = False) -> Thresholds:
        """What `model` applies in inference mode, or in training mode (other top-n of the RPN)."""
        mode = "training" if training else "testing"
        rpn, heads = model.rpn, model.roi_heads
        return cls(
            rpn_pre_nms_top_n=int(rpn._pre_nms_top_n[mode]),
            rpn_post_nms_top_n=int(rpn._post_nms_top_n[mode]),
            rpn_nms=float(rpn.nms_thresh),
            rpn_score=float(rpn.score_thresh),
            box_score=float(heads.score_thresh),
            box_nms=float(heads.nms_thresh),
            box_limit=int(heads.detections_per_img),
        )

    def apply_to(self, model: TwoStageModel, *, training: bool = False) -> None:
        """Write these thresholds into `model`, in place; the RPN's top-n of the other mode stays."""
        mode = "training" if training else "testing"
        rpn, heads = model.rpn, model.roi_heads
        rpn._pre_nms_top_n = {**rpn._pre_nms_top_n, mode: self.rpn_pre_nms_top_n}
        rpn._post_nms_top_n = {**rpn._post_nms_top_n, mode: self.rpn_post_nms_top_n}
        rpn.nms_thresh, rpn.score_thresh = self.rpn_nms, self.rpn_score
        heads.score_thresh, heads.nms_thresh = self.box_score, self.box_nms
        heads.detections_per_img = self.box_limit
