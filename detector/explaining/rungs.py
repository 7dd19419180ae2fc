"""The ladder's rungs: the steps that an object must climb to be found, in order."""

from __future__ import annotations

from enum import IntEnum


class Rung(IntEnum):
    """Where an object was lost, or FOUND.

    ANCHOR_FIT: no anchor and no decoded box comes near. RPN_BOX: an anchor fits, its decoded box does not.
    RPN_RANK: below the pre-NMS top-n of its level. RPN_SCORE: size or score filter of the RPN. RPN_NMS and
    RPN_LIMIT: suppressed, or over the post-NMS top-n. ROI_BOX: the refined box of the right class is off.
    ROI_CLASS: the right class does not pass the score filter. BOX_NMS, BOX_LIMIT: suppressed, or over the
    detections per image. MATCHED_ELSEWHERE: a good detection exists, but it was matched to another object.
    """

    ANCHOR_FIT = 0
    RPN_BOX = 1
    RPN_RANK = 2
    RPN_SCORE = 3
    RPN_NMS = 4
    RPN_LIMIT = 5
    ROI_BOX = 6
    ROI_CLASS = 7
    BOX_NMS = 8
    BOX_LIMIT = 9
    MATCHED_ELSEWHERE = 10
    FOUND = 11
