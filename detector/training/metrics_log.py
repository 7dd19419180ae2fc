"""What a run has measured: `metrics.jsonl`, one line per step and per epoch, only ever added to.

A line that is not whole yet (the run is writing it, or was killed) is left for the next look.
"""

from __future__ import annotations

from dataclasses import dataclass, field

METRICS = "metrics.jsonl"


@dataclass(frozen=True, slots=True)
class StepRow:
    """One optimizer step.

    Args:
        step: from 1, over all epochs.
        epoch: from 0.
        rpn_cls, rpn_bbox, fast_rcnn_cls, fast_rcnn_bbox: the four losses, without their weights.
        total: their weighted sum (with masks and keypoints, those losses too).
        lr: of the head, in this step.
        grad_norm: before clipping.
        seconds: since the run's first step, over all its processes and pauses left out.
    """

    step: int
    epoch: int
    rpn_cls: float
    rpn_bbox: float
    fast_rcnn_cls: float
    fast_rcnn_bbox: float
    total: float
    lr: float
    grad_norm: float
    seconds: float


@dataclass(frozen=True, slots=True)
class EpochRow:
    """One validation, after an epoch.

    Args:
        epoch: that has ended, from 0; -1 is the model before its first step.
        step: last step before it.
        AP, AP50, AP75, AP_small, AP_medium, AP_large: COCO's; None where there is no such object.
        recall: share of the objects still alive after each rung of the ladder, by the rung's name, in the ladder's
            order.
        objects: how many there are.
        seconds: that the validation took.
    """

    epoch: int
    step: int
    AP: float | None
    AP50: float | None
    AP75: float | None
    AP_small: float | None
    AP_medium: float | None
    AP_large: float | None
    recall: dict[str, float] = field(default_factory=dict)
    objects: int = 0
    seconds: float = 0.0

    def value(self, monitor: str) -> float | None:
        """What `RunConfig.monitor` names, such as `AP` or `recall/RPN_NMS`; None where it is not known.

        Raises:
            ValueError: a name that does not exist.
        """
        if monitor.startswith("recall/"):
            return self.recall.get(monitor.removeprefix("recall/"))
        if monitor not in ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large"):
            raise ValueError(
                f"the monitor is {monitor!r}; expected AP, AP50, AP75, AP_small, ... or recall/RUNG"
            )
        return getattr(self, monitor)
