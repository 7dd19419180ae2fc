"""P3 and the x-ray: a probe over the epochs and a sampled batch, on a real run of a tiny detector."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.runs import TINY_RUN

from detector.explaining.rungs import Rung
from detector.training.fit import fit
from detector.training.metrics_log import MetricsReader
from detector.training.probe_reading import probe_epochs, probe_trace
from detector.training.sampled_batches import sampled_batch, sampled_steps
from viz_app.figures.palette import FOUND, rgba
from viz_app.figures.probe_pictures import (
    LAYERS,
    ProbeFrame,
    film_strip,
    frame_groups,
    frame_overlay,
    frames_shown,
    glance_at,
    probe_frame,
)
from viz_app.figures.rpn import objectness_overlay
from viz_app.figures.rung_strip import rung_strip, rung_words
from viz_app.figures.sampled_batch import neglected_group, object_shares, share_table, share_words
from viz_app.figures.waterfall import rung_color


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose validation images are all probes."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    fit(replace(TINY_RUN, trace_every=3, probes=3), folder)
    return folder


@pytest.fixture(scope="module")
def frames(run: Path) -> list[ProbeFrame]:
    return [probe_frame(epoch, probe_trace(run, epoch, 0)) for epoch in probe_epochs(run)]


def test_the_rungs_of_the_probes_are_those_that_the_validation_counted(run: Path) -> None:
    reader = MetricsReader(run)
    reader.new()
    for row in reader.epochs:
        rungs = [
            rung
            for image in range(3)
            for rung in glance_at(probe_frame(row.epoch, probe_trace(run, row.epoch, image))).rungs.values()
        ]
        assert len(rungs) == row.objects > 0
        for name, alive in row.recall.items():
            assert sum(rung > Rung[name] for rung in rungs) / len(rungs) == pytest.approx(alive), name


def test_the_strip_has_the_colour_of_each_rung_and_a_click_area_on_each_square(
    frames: list[ProbeFrame],
) -> None:
    glances = [glance_at(frame) for frame in frames]
    figure = rung_strip(glances, chosen=0)
    squares, clicks = figure.data[0], figure.data[-1]
    objects = len(glances[0].rungs)
    assert [[glance.rungs[i] for glance in glances] for i in range(objects)] == [
        list(line) for line in squares.z
    ]
    colors = dict(squares.colorscale)
    assert colors[1.0] == FOUND and squares.colorscale[0][1] == rung_color("ANCHOR_FIT")
    assert list(clicks.customdata) == [-1, 0, 1] * objects
    assert len(set(zip(clicks.x, clicks.y, strict=True))) == 3 * objects
    assert (figure.layout.shapes[0].x0, figure.layout.shapes[0].x1) == (0.5, 1.5)
    found = [sum(rung is Rung.FOUND for rung in glances[place].rungs.values()) for place in (0, -1)]
    assert rung_words(glances).startswith(f"{found[0]} of {objects} object")
    assert f", {found[1]} after epoch 2" in rung_words(glances)


def test_the_film_has_a_picture_of_every_epoch_and_marks_the_chosen_one(frames: list[ProbeFrame]) -> None:
    glances = [glance_at(frame) for frame in frames]
    film, other = (film_strip(glances, "detections", chosen) for chosen in (-1, 1))
    side = glances[0].pictures["detections"].shape[1]
    assert film.dtype == np.uint8 and film.shape[1] == 3 * side + 2 * 10 and film.shape[2] == 4
    blue = np.array([*rgba("#0072B2")[0], 255])
    assert (film[-1, :side] == blue).all() and (other[-1, -side:] == blue).all()
    assert not (film[-1, -side:] == blue).all()
    assert set(glances[0].pictures) == set(LAYERS)


def test_layers_show_what_the_trace_holds(frames: list[ProbeFrame]) -> None:
    frame = frames[-1]
    names = {group.name: group for group in frame_groups(frame, "proposals")}
    assert len(names["kept"]) == min(len(frame.replay.proposals.kept), 100) and len(names["ground truth"]) > 0
    overlay, trace = frame_overlay(frame, "objectness"), frame.replay.trace
    assert overlay is not None and frame_overlay(frame, "detections") is None
    levels = np.stack([objectness_overlay(trace, level).numpy() for level in range(len(trace.rpn.per_level))])
    assert (overlay[..., 3].numpy() == levels[..., 3].max(axis=0)).all()


def test_a_long_run_shows_its_ends_and_the_chosen_epoch() -> None:
    epochs = list(range(-1, 40))
    for chosen in (-1, 0, 17, 39):
        shown = frames_shown(epochs, chosen)
        assert len(shown) == 8 and chosen in shown and shown == sorted(set(shown)) and {-1, 39} <= set(shown)
    assert frames_shown([3, 4], 4) == [3, 4]


def test_the_x_ray_counts_what_each_object_got(run: Path) -> None:
    assert sampled_steps(run) == [3, 6]
    poor = 0
    for trace in sampled_batch(run, 3).images:
        view, shares = trace.training, object_shares(trace)
        assert view is not None and trace.ground_truth is not None
        assert [share.object for share in shares] == list(range(len(trace.ground_truth)))
        for share in shares:
            drawn = [
                a for a in view.anchors.positives.tolist() if int(view.anchors.matched[a]) == share.object
            ]
            rois = [
                r
                for r, m in enumerate(view.rois.matched.tolist())
                if m == share.object and not view.rois.is_object[r]
            ]
            assert (share.anchors, share.rois) == (len(drawn), len(rois)) and share.labelled >= share.anchors
        missing = [share for share in shares if not share.anchors or not share.rois]
        group = neglected_group(trace, shares)
        assert (0 if group is None else len(group)) == len(missing)
        assert f"**{len(missing)}** of" in share_words(trace, shares) or not missing
        least = [
            min(pair) for pair in share_table(shares)[["anchors drawn", "RoIs drawn"]].to_numpy().tolist()
        ]
        assert least == sorted(least), "who got the least comes first"
        poor += len(missing)
    assert poor, "a head that has learned nothing leaves objects out"
