"""Every picture that the inspection pages promise: listed, importable, and drawn from a bundled image."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from support.models import shared_detector
from support.pictures_doc import FILE, THUMBNAILS, document

from detector.models.zoo import load_detector
from viz_app.figures.catalogue import CATALOGUE, pixels_of, thumbnail
from viz_app.figures.catalogue_parts import Boxes, Material
from viz_app.scenes import bundled_scenes
from viz_app.shell import ENTRIES

IDS = [
    *(f"I{n}" for n in range(1, 7)), *(f"W{n}" for n in range(1, 8)), *(f"R{n}" for n in range(1, 20)),
    *(f"T{n}" for n in range(1, 17)), *(f"F{n}" for n in range(1, 11)), *(f"N{n}" for n in range(1, 9)),
    *(f"Y{n}" for n in range(1, 7)), *(f"D{n}" for n in range(1, 11)),
    *(f"P{n}" for n in range(1, 6)),
]  # fmt: skip
HEADS = {"mask": "maskrcnn_resnet50_fpn", "keypoint": "keypointrcnn_resnet50_fpn"}


@pytest.fixture(scope="module")
def material() -> Material:
    return Material(load_detector("shapes"), bundled_scenes()[0])


def test_every_id_of_the_list_is_in_the_catalogue_and_no_other() -> None:
    assert set(CATALOGUE) == set(IDS)


def test_the_document_is_the_one_that_the_catalogue_writes() -> None:
    thumbnails = {path.stem for path in THUMBNAILS.glob("*.jpg")}
    assert thumbnails <= set(IDS)
    assert FILE.read_text(encoding="utf-8") == document(thumbnails)
    assert all(path.stat().st_size <= 6000 for path in THUMBNAILS.iterdir())


@pytest.mark.parametrize("name", CATALOGUE)
def test_each_names_a_page_and_a_function_that_can_be_imported(name: str) -> None:
    entry = CATALOGUE[name]
    assert entry.page in {page.title for page in ENTRIES}
    module, _, function = entry.function.rpartition(".")
    assert getattr(import_module(module), function) is entry.figure


@pytest.mark.parametrize("name", [entry.id for entry in CATALOGUE.values() if not entry.heads])
def test_each_draws_from_a_bundled_image(name: str, material: Material) -> None:
    drawn = CATALOGUE[name].draw(material)
    if isinstance(drawn, Boxes):
        shown = any(len(group) for group in drawn.groups) or drawn.overlay is not None
        assert shown or drawn.pixels is not None, "something must be seen on it"
        image = pixels_of(drawn, material)
        assert image is not None and len(np.unique(image)) > 2
    elif isinstance(drawn, go.Figure):
        assert len(drawn.data) > 0
    elif isinstance(drawn, pd.DataFrame):
        assert len(drawn) > 0
    else:
        assert drawn.dtype == np.uint8 and len(np.unique(drawn)) > 2


@pytest.mark.parametrize("name", [entry.id for entry in CATALOGUE.values() if entry.heads])
def test_masks_and_keypoints_are_drawn_where_the_model_has_them(name: str) -> None:
    entry = CATALOGUE[name]
    one = Material(shared_detector(HEADS[entry.heads]), bundled_scenes()[0])
    drawn = entry.draw(one)
    assert isinstance(drawn, Boxes) and drawn.overlay is not None
    assert int(drawn.overlay[..., 3].max()) > 0


def test_a_thumbnail_fits_whatever_is_on_it() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (700, 900, 3), dtype=np.uint8)
    data = thumbnail(noise)
    assert data[:2] == b"\xff\xd8" and len(data) <= 6000
