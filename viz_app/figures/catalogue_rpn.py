"""The catalogue's pictures of anchors, the RPN and its training samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from detector.tracing.anchor_losses import Loss, anchor_terms, members_of, ranked, view_of
from detector.tracing.filters import ProposalFate
from viz_app.figures.anchors import anchor_groups, base_table, cell_anchors, centres_overlay, chosen_cell
from viz_app.figures.catalogue_parts import Boxes, Entry, Material
from viz_app.figures.rpn import objectness_overlay, selected_groups, top_anchors, top_groups
from viz_app.figures.rpn_charts import delta_histograms, objectness_histogram, places_figure
from viz_app.figures.rpn_coverage import recall_figure, recall_steps, size_members
from viz_app.figures.rpn_duels import victory, victory_groups
from viz_app.figures.rpn_filter import (
    fate_groups,
    filter_steps,
    floor_groups,
    proposals_over,
    step_groups,
)
from viz_app.figures.rpn_losses import confusion_figure, drawn_by_loss, target_scatter
from viz_app.figures.rpn_nearest import covered_groups, nearest_groups, nearest_to
from viz_app.figures.rpn_samples import SampleKind, loss_groups, sample_groups

if TYPE_CHECKING:
    import plotly.graph_objects as go

_PAGE = "RPN"


def _cell(one: Material) -> Boxes:
    anchors = cell_anchors(one.trace, chosen_cell(one.trace, None))
    return Boxes(anchor_groups(one.trace, anchors, labels=False, items=False))


def _one_anchor(one: Material) -> Boxes:
    return Boxes(selected_groups(one.replay, int(top_anchors(one.replay, 1)[0])))


def _after_nms(one: Material) -> Boxes:
    removed = next(step for step in filter_steps(one.replay) if step.fate is ProposalFate.SUPPRESSED)
    return Boxes(step_groups(one.replay, removed))


def _floors(one: Material) -> Boxes:
    return Boxes(floor_groups(one.replay, proposals_over(one.replayer, one.replay, (0.5,))[0]))


def _places(one: Material) -> go.Figure:
    boxes = one.trace.to_image(one.replay.proposals.boxes[one.replay.proposals.kept])
    return places_figure(boxes, one.trace.input.image_size)


def _duel(one: Material) -> Boxes:
    for anchor in one.replay.proposals.kept.tolist():
        found = victory(one.replay, anchor)
        if found is not None:
            return Boxes(victory_groups(one.replay, found, anchor))
    return Boxes([])


def _recall(one: Material) -> go.Figure:
    return recall_figure(recall_steps(one.replay, one.truth), size_members(one.truth))


def _nearest(one: Material) -> Boxes:
    box = one.truth.boxes[0]
    return Boxes(nearest_groups(one.replay, nearest_to(one.replay, box), box))


def _covered(one: Material) -> Boxes:
    step = recall_steps(one.replay, one.truth)[0]
    return Boxes(covered_groups(one.truth, one.trace.categories, step))


def _samples(*shown: SampleKind) -> Callable[[Material], Boxes]:
    return lambda one: Boxes(sample_groups(one.step, shown))


def _worst(loss: Loss) -> Callable[[Material], Boxes]:
    def draw(one: Material) -> Boxes:
        members = members_of(view_of(one.step), positive=True, drawn=True)
        anchors = ranked(anchor_terms(one.step), members, loss)[:8]
        return Boxes(loss_groups(one.step, anchors, positive=True))

    return draw


def _targets(one: Material) -> go.Figure:
    return target_scatter(one.step, view_of(one.step).anchors.positives)


ENTRIES = (
    Entry("R1", "base anchors per level and ratio", _PAGE, "Anchors", base_table,
          lambda one: base_table(one.trace)),
    Entry("R2", "anchor centres", _PAGE, "Anchors", centres_overlay,
          lambda one: Boxes([], centres_overlay(one.trace, len(one.trace.rpn.grid) - 1))),
    Entry("R3", "all anchors of one cell over all levels", _PAGE, "Anchors", anchor_groups, _cell),
    Entry("R4", "one chosen anchor", _PAGE, "Anchors", selected_groups, _one_anchor),
    Entry("R5", "objectness per level and per ratio over the image", _PAGE, "Scores", objectness_overlay,
          lambda one: Boxes([], objectness_overlay(one.trace, 0))),
    Entry("R6", "histogram of scores", _PAGE, "Scores", objectness_histogram,
          lambda one: objectness_histogram(one.replay)),
    Entry("R7", "histograms of dx, dy, dw, dh", _PAGE, "Scores", delta_histograms,
          lambda one: delta_histograms(one.replay)),
    Entry("R8", "the k anchors of highest score", _PAGE, "Top-k", top_groups,
          lambda one: Boxes(top_groups(one.replay, top_anchors(one.replay, 12), ("anchors",)))),
    Entry("R9", "the same before (dotted) and after refinement", _PAGE, "Top-k", top_groups,
          lambda one: Boxes(top_groups(one.replay, top_anchors(one.replay, 12), ("anchors", "moved")))),
    Entry("R10", "the same, clipped", _PAGE, "Top-k", top_groups,
          lambda one: Boxes(top_groups(one.replay, top_anchors(one.replay, 12), ("anchors", "clipped")))),
    Entry("R11", "boxes after NMS", _PAGE, "Filters", step_groups, _after_nms),
    Entry("R12", "proposals over several score floors", _PAGE, "Filters", floor_groups, _floors),
    Entry("R13", "final proposals", _PAGE, "Filters", fate_groups,
          lambda one: Boxes(fate_groups(one.replay, [ProposalFate.KEPT], 100))),
    Entry("R14", "scatter of proposal centres and corners", _PAGE, "Scores", places_figure, _places),
    Entry("R15", "what each filter removed, by fate", _PAGE, "Filters", fate_groups,
          lambda one: Boxes(fate_groups(one.replay, list(ProposalFate), 40))),
    Entry("R16", "suppressor and suppressed, with IoU and score gap", _PAGE, "Filters", victory_groups, _duel),
    Entry("R17", "recall of the objects at each step, by size", _PAGE, "Objects", recall_figure, _recall),
    Entry("R18", "closest anchors and proposals of each object", _PAGE, "Objects", nearest_groups, _nearest),
    Entry("R19", "objects by whether an anchor covers them", _PAGE, "Objects", covered_groups, _covered),
    Entry("T1", "positive anchors with their targets", _PAGE, "Training", sample_groups,
          _samples("positives", "targets")),
    Entry("T2", "negative anchors", _PAGE, "Training", sample_groups, _samples("negatives")),
    Entry("T3", "ignored anchors", _PAGE, "Training", sample_groups, _samples("ignored")),
    Entry("T4", "anchors rescued by low-quality matching", _PAGE, "Training", sample_groups,
          _samples("rescued")),
    Entry("T5", "the sampled batch under a seed", _PAGE, "Training", sample_groups,
          _samples("positives", "negatives")),
    Entry("T6", "worst anchors by objectness loss", _PAGE, "Training", loss_groups, _worst("objectness")),
    Entry("T7", "worst anchors by box loss", _PAGE, "Training", loss_groups, _worst("box")),
    Entry("T8", "worst anchors by the sum", _PAGE, "Training", loss_groups, _worst("sum")),
    Entry("T9", "predicted against target deltas", _PAGE, "Training", target_scatter, _targets),
    Entry("T10", "confusion of RPN labels", _PAGE, "Training", confusion_figure,
          lambda one: confusion_figure(one.step, drawn_by_loss(one.step))),
)  # fmt: skip
