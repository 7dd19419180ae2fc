"""The catalogue's pictures of RoIs, the second stage, its training samples, and the whole network."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from detector.explaining.sweeps import score_curve
from detector.tracing.filters import DetectionFate
from detector.tracing.profile import profile
from detector.tracing.projection import principal_plane
from detector.tracing.roi_grid import SamplingGrid, pooling_rule, sampling_grid
from detector.tracing.roi_losses import roi_confusion
from detector.tracing.roi_origins import roi_origins
from viz_app.figures.catalogue_parts import Boxes, Entry, Material
from viz_app.figures.class_slots import slot_groups, strongest_slots
from viz_app.figures.embedding_map import embedding_figure, labels_of
from viz_app.figures.fast_rcnn import crop_figure, score_bars
from viz_app.figures.fast_rcnn_tables import roi_order
from viz_app.figures.feature_maps import cell_heatmap, reduce_channels
from viz_app.figures.full_network import overview_groups
from viz_app.figures.keypoints import keypoint_overlay
from viz_app.figures.masks import mask_overlay
from viz_app.figures.match_matrix import matrix_figure
from viz_app.figures.module_tree import time_figure
from viz_app.figures.path import path_steps
from viz_app.figures.roi_batch import confusion_figure, delta_histograms
from viz_app.figures.roi_grid import grid_groups
from viz_app.figures.roi_heat import iou_overlay
from viz_app.figures.roi_levels import level_groups
from viz_app.figures.roi_refinement import arrow_overlay, refinement_groups
from viz_app.figures.roi_samples import (
    Order,
    Quota,
    quota_figure,
    roi_sample_groups,
    sample_order,
    selected_sample_groups,
)
from viz_app.figures.threshold_curves import curve_figure

if TYPE_CHECKING:
    import numpy as np
    import plotly.graph_objects as go

_PAGE, _WHOLE = "Fast R-CNN", "Full network"


def _grid(one: Material) -> SamplingGrid:
    head = one.replay.head
    return sampling_grid(one.trace, pooling_rule(one.detector), head.boxes[one.roi], int(head.level[one.roi]))


def _pooled(one: Material) -> go.Figure:
    features = one.replayer.roi_features(one.replay, torch.tensor([one.roi]))[0]
    return cell_heatmap(reduce_channels(features, "energy"))


def _arrows(one: Material) -> Boxes:
    rois = roi_order(one.replay)[:12]
    return Boxes(
        refinement_groups(one.replay, rois, before=True, after=True), arrow_overlay(one.replay, rois)
    )


def _before(one: Material) -> Boxes:
    return Boxes(refinement_groups(one.replay, roi_order(one.replay)[:40], before=True, after=False))


def _slots(one: Material) -> Boxes:
    slots = strongest_slots(one.replay, [DetectionFate.KEPT, DetectionFate.SUPPRESSED])
    return Boxes(slot_groups(one.replay, slots))


def _embedding(one: Material) -> go.Figure:
    embedding = one.replay.head.embedding
    assert embedding is not None
    return embedding_figure(one.replay, principal_plane(embedding), labels_of(one.replay, "predicted"))


def _batch(one: Material) -> Boxes:
    shown = ("negatives", "positives", "added objects")
    return Boxes(roi_sample_groups(one.step, one.view.rois, one.losses, roi_origins(one.step), shown))


def _share(one: Material) -> go.Figure:
    sampler, labels = one.detector.model.roi_heads.fg_bg_sampler, one.view.rois.labels
    positives = int((labels > 0).sum())
    quota = Quota(
        int(sampler.batch_size_per_image),
        float(sampler.positive_fraction),
        positives,
        len(labels) - positives,
    )
    return quota_figure(quota)


def _worst(loss: Order) -> Callable[[Material], Boxes]:
    def draw(one: Material) -> Boxes:
        rois = one.view.rois
        row = int(sample_order(one.losses, (rois.labels > 0).nonzero().flatten(), loss)[0])
        return Boxes(selected_sample_groups(one.step, rois, one.losses, row))

    return draw


def _path(one: Material) -> np.ndarray:
    return path_steps(one.replay, one.diagnosis)[-1].thumbnail


ENTRIES = (
    Entry("F1", "RoIs by level, with the level formula", _PAGE, "Levels", level_groups,
          lambda one: Boxes(level_groups(one.replay, one.rois))),
    Entry("F2", "the crop of a RoI", _PAGE, "One RoI", crop_figure, lambda one: crop_figure(one.trace, _grid(one))),
    Entry("F3", "the sampling grid on the image", _PAGE, "One RoI", grid_groups,
          lambda one: Boxes(grid_groups(one.trace, _grid(one)))),
    Entry("F4", "pooled features, any channel", _PAGE, "One RoI", cell_heatmap, _pooled),
    Entry("F5", "a sample of RoIs before refinement, background dotted", _PAGE, "Refinement", refinement_groups,
          _before),
    Entry("F6", "before and after, as arrows", _PAGE, "Refinement", arrow_overlay, _arrows),
    Entry("F7", "which slots each filter kept", _PAGE, "Class slots", slot_groups, _slots),
    Entry("F8", "class probabilities of one RoI", _PAGE, "One RoI", score_bars,
          lambda one: score_bars(one.replay, one.roi)),
    Entry("F9", "map of the embeddings, by predicted and by true class", _PAGE, "Embedding", embedding_figure,
          _embedding),
    Entry("F10", "heat of RoIs by IoU with an object", _PAGE, "Near an object", iou_overlay,
          lambda one: Boxes(overview_groups(one.replay)[:1], iou_overlay(one.replay, 0))),
    Entry("T11", "sampled RoIs with added objects", _PAGE, "Training samples", roi_sample_groups, _batch),
    Entry("T12", "share of positives", _PAGE, "Training samples", quota_figure, _share),
    Entry("T13", "confusion of the sampled batch", _PAGE, "Training samples", confusion_figure,
          lambda one: confusion_figure(roi_confusion(one.view.rois), one.trace.categories)),
    Entry("T14", "best and worst RoIs by class loss", _PAGE, "Training samples", sample_order,
          _worst("class loss")),
    Entry("T15", "best and worst RoIs by box loss", _PAGE, "Training samples", sample_order, _worst("box loss")),
    Entry("T16", "box targets and errors", _PAGE, "Training samples", delta_histograms,
          lambda one: delta_histograms(one.view.rois, one.losses)),
    Entry("N1", "module tree with shapes, parameters, time and memory", _WHOLE, "Model", time_figure,
          lambda one: time_figure(profile(one.detector, one.trace))),
    Entry("N2", "the whole path", _WHOLE, "Path", path_steps, _path),
    Entry("N3", "detections beside ground truth", _WHOLE, "on top", overview_groups,
          lambda one: Boxes(overview_groups(one.replay))),
    Entry("N4", "overlap of objects and detections", _WHOLE, "Matches", matrix_figure,
          lambda one: matrix_figure(one.diagnosis)),
    Entry("N5", "matches by true, false and missed", _WHOLE, "on top", overview_groups,
          lambda one: Boxes(overview_groups(one.replay, one.diagnosis))),
    Entry("N6", "detections against score and NMS thresholds", _WHOLE, "Thresholds", curve_figure,
          lambda one: curve_figure(score_curve(one.replay, one.truth), len(one.truth))),
    Entry("N7", "masks, raw and pasted", _WHOLE, "on top", mask_overlay,
          lambda one: Boxes([], mask_overlay(one.replay)), "mask"),
    Entry("N8", "keypoints", _WHOLE, "on top", keypoint_overlay,
          lambda one: Boxes([], keypoint_overlay(one.replay)), "keypoint"),
)  # fmt: skip
