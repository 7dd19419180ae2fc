"""The catalogue's pictures of the input, of a data set, of the backbone and the weights."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import torch

from detector.data.augmentation import Augmentation
from detector.data.coco import CocoDataset
from detector.data.datasets import ground_truth_of
from detector.judging.object_shapes import object_shapes
from detector.judging.object_survey import survey_objects, without_crowd
from detector.models.weight_statistics import find_tensor, weight_statistics
from detector.tracing.receptive_field import receptive_fields
from viz_app.bundled import sample_images_folder
from viz_app.figures.activations import activation_histograms, all_statistics
from viz_app.figures.augmented_samples import augmented_draws, augmented_sheet
from viz_app.figures.backbone_maps import NamedMap, cell_groups, map_layer, named_maps
from viz_app.figures.catalogue_parts import Boxes, Entry, Material
from viz_app.figures.channel_sheet import ChannelSheet
from viz_app.figures.dataset_samples import DataSample, sample_card
from viz_app.figures.dataset_statistics import extents_figure
from viz_app.figures.feature_maps import channels_by_energy, colorize, reduce_channels
from viz_app.figures.gallery import gallery_sheet
from viz_app.figures.input_image import (
    InputRules,
    network_picture,
    normalised_histogram,
    padding_groups,
    truth_groups,
    turned_back,
)
from viz_app.figures.weights import weight_histogram, weight_table

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import plotly.graph_objects as go

_PAGE = "Input & backbone"
_DATA_PAGE = "Data"
_CHANNELS = 60
_CARDS, _EPOCHS = 6, 3
_STRONG = Augmentation(flip=0.5, scale=(0.5, 2.0), colour=0.5, crop=0.5)


def _as_the_network_gets_it(one: Material) -> Boxes:
    pixels = network_picture(
        turned_back(one.trace, InputRules.from_detector(one.detector)), one.trace.input.tensor.shape
    )
    return Boxes(padding_groups(one.trace) + truth_groups(one.trace, "network"), pixels=pixels)


@lru_cache(maxsize=1)
def _bundled() -> CocoDataset:
    return CocoDataset(sample_images_folder())


def _samples(_: Material) -> np.ndarray:
    dataset = _bundled()
    items = [(dataset.image_path(index).name, *dataset[index]) for index in range(_CARDS)]
    samples = [DataSample(name, pixels, ground_truth_of(target)) for name, pixels, target in items]
    return gallery_sheet([sample_card(one, dataset.categories) for one in samples], columns=3)


def _augmented(_: Material) -> np.ndarray:
    dataset = _bundled()
    draws = augmented_draws(dataset[0], dataset.image_path(0).name, 0, _STRONG, seed=0, epochs=_EPOCHS)
    return augmented_sheet(draws, dataset.categories)


def _object_shapes(one: Material) -> go.Figure:
    shapes = object_shapes(without_crowd(survey_objects(_bundled())), one.detector.model)
    near = None if shapes.best_iou is None else shapes.best_iou >= 0.5
    return extents_figure(shapes.extents, shapes.levels, near, frame="network")


def _finest(one: Material) -> NamedMap:
    return next(found for found in named_maps(one.trace) if found.level == 0)


def _grid(one: Material) -> Boxes:
    values = _finest(one).values
    return Boxes(
        [], pixels=ChannelSheet(values, tuple(channels_by_energy(values)[:_CHANNELS].tolist())).pixels()
    )


def _energy(one: Material) -> Boxes:
    colors = colorize(reduce_channels(_finest(one).values, "energy"))
    return Boxes([], pixels=torch.from_numpy(colors).permute(2, 0, 1))


def _channel(one: Material) -> Boxes:
    found = _finest(one)
    values = found.values[int(channels_by_energy(found.values)[0])]
    return Boxes([], map_layer(one.trace, found, values, opacity=0.7))


def _activations(one: Material) -> go.Figure:
    maps = named_maps(one.trace)
    return activation_histograms(maps, all_statistics(maps))


def _weights(one: Material) -> go.Figure:
    name = weight_statistics(one.detector.model)[0].name
    return weight_histogram(find_tensor(one.detector.model, name), name)


def _statistics(one: Material) -> pd.DataFrame:
    return weight_table(weight_statistics(one.detector.model))


def _field(one: Material) -> Boxes:
    found, (height, width) = _finest(one), one.trace.input.tensor.shape[-2:]
    field = found.field(receptive_fields(one.detector.model, (height, width)))
    return Boxes(cell_groups(one.trace, found, (found.size[0] // 2, found.size[1] // 2), field))


ENTRIES = (
    Entry("I1", "the image with its objects, their ids and classes", _PAGE, "Input", truth_groups,
          lambda one: Boxes(truth_groups(one.trace, "image"))),
    Entry("I2", "resized and padded, the padding marked, boxes in both frames", _PAGE, "Input", padding_groups,
          _as_the_network_gets_it),
    Entry("I3", "the normalised input turned back, its values as histograms", _PAGE, "Input",
          normalised_histogram, lambda one: normalised_histogram(one.trace)),
    Entry("I4", "samples of a data set with their boxes, by class", _DATA_PAGE, "Samples", sample_card, _samples),
    Entry("I5", "augmented samples beside their originals", _DATA_PAGE, "Augmentation", augmented_sheet,
          _augmented),
    Entry("I6", "objects per image and per class; their sizes and shapes with the anchors laid over", _DATA_PAGE,
          "Width against height, Size, Shape, Objects of each class, Objects per image", extents_figure,
          _object_shapes),
    Entry("W1", "channels of any map as a grid", _PAGE, "Feature maps", ChannelSheet, _grid),
    Entry("W2", "mean, maximum and energy of a map", _PAGE, "Feature maps", reduce_channels, _energy),
    Entry("W3", "one channel over the image", _PAGE, "Feature maps", map_layer, _channel),
    Entry("W4", "activations per map with dead and saturated shares", _PAGE, "Feature maps",
          activation_histograms, _activations),
    Entry("W5", "weights and biases of a layer as histogram", _PAGE, "Weights", weight_histogram, _weights),
    Entry("W6", "statistics of all weights with alerts", _PAGE, "Weights", weight_table, _statistics),
    Entry("W7", "receptive field and stride of a cell", _PAGE, "Feature maps", cell_groups, _field),
)  # fmt: skip
