"""The three visualizers without a browser: pictures of the RPN, of Fast R-CNN and of the whole network.

For a notebook or a script; the command `boxscope show` uses the same functions:

    trace = capture(detector, "photo.jpg")
    view = show_rpn(Replayer(trace, detector).replay())
    view                  # as the last line of a notebook's cell: the picture
    view.save("rpn.png")  # or rpn.html, which answers the pointer
    view.image()          # uint8 RGB [h, w, 3]
    view.figures()        # plotly figures, one for each picture

A replay of a loaded trace will do: the model is not needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import torch

from detector.data.sealed import replace_file
from detector.explaining.ladder import diagnose
from detector.tracing.filters import ProposalFate
from viz_app.figures.fast_rcnn import roi_hover
from viz_app.figures.full_network import overview_groups
from viz_app.figures.palette import ACCENT, DARK_HALO, LIGHT_HALO, fate_color
from viz_app.figures.picture import BoxGroup
from viz_app.figures.roi_levels import level_groups
from viz_app.figures.rpn import anchor_hover, objectness_overlay, top_anchors, top_groups
from viz_app.figures.rpn_filter import fate_groups, ground_truth_group
from viz_app.figures.sheet import Panel, Sheet, draw_sheet, sheet_figures, sheet_html
from viz_app.figures.strip import strip_of
from viz_app.figures.strip_html import CSS, strip_html, strip_text

if TYPE_CHECKING:
    import numpy as np
    import plotly.graph_objects as go
    from torch import Tensor

    from detector.tracing.replay import Replay

SUFFIXES = (".png", ".html")
_STRONGEST, _MOST, _MOST_REMOVED = 20, 300, 100


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What a visualizer shows; nothing is drawn before it is asked for.

    Args:
        sheet: the pictures with their titles and legends.
    """

    sheet: Sheet

    def image(self) -> np.ndarray:
        """All pictures on one sheet, uint8 RGB [h, w, 3]."""
        return draw_sheet(self.sheet)

    def figures(self) -> list[go.Figure]:
        """Each picture as a plotly figure; boxes say under the pointer what they are."""
        return sheet_figures(self.sheet)

    def html(self) -> str:
        """All pictures as one web page that needs no network."""
        return sheet_html(self.sheet)

    def save(self, path: str | Path) -> Path:
        """Write the view to a file, complete or not at all; the ending chooses between PNG and HTML.

        Raises:
            ValueError: another ending, or the folder does not exist.
            OSError: the file cannot be written.
        """
        path = check_target(path)
        replace_file(path, self.html().encode() if path.suffix.lower() == ".html" else self._repr_png_())
        return path

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        return cv2.imencode(".png", cv2.cvtColor(self.image(), cv2.COLOR_RGB2BGR))[1].tobytes()


def check_target(path: str | Path) -> Path:
    """A file that `View.save` can write; raises ValueError where the ending or the folder does not fit."""
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{path}: the file's ending says what is written; expected .png or .html")
    if not path.parent.is_dir():
        raise ValueError(f"{path}: there is no folder {path.parent}")
    if path.is_dir():
        raise ValueError(f"{path}: it is a folder; give the name of a file")
    return path


def show_rpn(replay: Replay) -> View:
    """The RPN: objectness, the strongest anchors before and after their deltas, and the boxes filter by filter."""
    trace, ledger = replay.trace, replay.proposals
    anchors = top_anchors(replay, _STRONGEST)
    levels = range(len(trace.rpn.grid))
    truth = ground_truth_group(trace.ground_truth, trace.categories)
    ranked = (ledger.fate != int(ProposalFate.BELOW_TOP_N)).nonzero().flatten()
    ranked = ranked[ledger.scores[ranked].argsort(descending=True, stable=True)]
    knobs, removed = replay.thresholds, [ProposalFate.SUPPRESSED, ProposalFate.OVER_LIMIT]
    panels = (
        Panel(
            "Objectness", tuple(truth), strongest_overlay(trace_overlays(replay)),
            f"The strongest anchor at each place, of all {len(levels)} levels.",
        ),
        Panel(
            f"The {len(anchors)} strongest anchors", tuple(top_groups(replay, anchors)),
            note="Dotted: where they begin. Solid: where their deltas move them, clipped to the image.",
        ),
        _boxes_left(replay, ranked, "After the top-n of each level", f"{knobs.rpn_pre_nms_top_n:,} per level."),
        _boxes_left(replay, ledger.winners, "After NMS", f"Overlaps over IoU {knobs.rpn_nms:g} are gone."),
        _boxes_left(replay, ledger.kept, "Proposals", f"At most {knobs.rpn_post_nms_top_n:,} per image."),
        Panel(
            "What NMS and the limit removed", (*fate_groups(replay, removed, _MOST_REMOVED), *truth),
            note=f"The strongest {_MOST_REMOVED} of each.",
        ),
    )  # fmt: skip
    return _view(replay, "RPN", panels)


def show_fast_rcnn(replay: Replay) -> View:
    """Fast R-CNN: RoIs by pyramid level, those that became detections before and after, and the detections."""
    trace = replay.trace
    rois = torch.arange(len(replay.head.boxes))
    hover = roi_hover(replay, replay.rois)
    before = trace.to_image(replay.head.boxes[replay.rois])
    moved = (
        BoxGroup(before, "RoIs, before", "#FFFFFF", dash="dot", halo=DARK_HALO, hover=hover),
        BoxGroup(replay.boxes, "refined, after", ACCENT, hover=hover, halo=LIGHT_HALO),
    )
    panels = (
        Panel(
            f"{len(rois):,} RoIs", tuple(level_groups(replay, rois)),
            note="In the colour of the pyramid level whose map they are pooled from.",
        ),
        Panel(
            "The detections' RoIs", moved,
            note="Dotted: as the RPN proposed them. Solid: after the second stage's deltas.",
        ),
        Panel(
            "Detections", tuple(overview_groups(replay)),
            note=f"Score over {replay.thresholds.box_score:g}, NMS at IoU {replay.thresholds.box_nms:g}.",
        ),
    )  # fmt: skip
    return _view(replay, "Fast R-CNN", panels)


def show_full(replay: Replay) -> View:
    """The whole network: detections beside the objects, lost ones red, false positives orange."""
    truth = replay.trace.ground_truth
    diagnosis = None if truth is None else diagnose(replay, truth)
    title = "Detections" if truth is None else "Detections and objects"
    return _view(replay, "Full network", (Panel(title, tuple(overview_groups(replay, diagnosis))),))


STAGES: dict[str, Callable[[Replay], View]] = {
    "rpn": show_rpn,
    "fast_rcnn": show_fast_rcnn,
    "full": show_full,
}
"""The visualizers by the name of their stage."""


def trace_overlays(replay: Replay) -> list[Tensor]:
    """Objectness of every level over the image, uint8 [h, w, 4] RGBA, all of one size."""
    return [objectness_overlay(replay.trace, level) for level in range(len(replay.trace.rpn.grid))]


def strongest_overlay(layers: list[Tensor]) -> Tensor:
    """At each place the layer that is most solid there, uint8 [h, w, 4] RGBA."""
    stacked = torch.stack(layers)
    best = stacked[..., 3].argmax(dim=0)
    return stacked.gather(0, best[None, ..., None].expand(1, *stacked.shape[1:]))[0]


def _boxes_left(replay: Replay, anchors: Tensor, title: str, note: str) -> Panel:
    shown = anchors[:_MOST]
    boxes = replay.trace.to_image(replay.proposals.boxes[shown])
    group = BoxGroup(
        boxes, "boxes", fate_color(ProposalFate.KEPT), width=1.25, opacity=0.8, total=len(anchors),
        hover=anchor_hover(replay, shown),
    )  # fmt: skip
    return Panel(
        title, (group, *ground_truth_group(replay.trace.ground_truth, replay.trace.categories)), note=note
    )


def _view(replay: Replay, stage: str, panels: tuple[Panel, ...]) -> View:
    trace = replay.trace
    truth = trace.ground_truth
    strip = strip_of(replay, None if truth is None else diagnose(replay, truth))
    head = f"<style>{CSS}</style>{strip_html(strip)}"
    title = f"{stage}: {trace.input.name} through {trace.detector}"
    return View(Sheet(title, trace.input.pixels, panels, (strip_text(strip),), head))
