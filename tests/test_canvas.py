"""The canvas without a browser: what is sent, what is believed of what comes back, and what is painted here."""

import gc
import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.models import shared_detector
from torch import Tensor

from detector import Replayer, capture
from viz_app.canvas import encoded
from viz_app.canvas.candidates import LOWEST_SCORE, preview_of
from viz_app.canvas.component import script
from viz_app.canvas.encoded import image_file
from viz_app.canvas.events import CanvasEvent, Pick, boxes_at, read_event
from viz_app.canvas.packet import MOST_DRAWN, in_words, pack
from viz_app.canvas.raster import raster
from viz_app.figures.picture import BoxGroup


def some_boxes(count: int, seed: int = 0, side: int = 60) -> Tensor:
    corners = torch.rand((count, 2, 2), generator=torch.Generator().manual_seed(seed)) * side
    return torch.cat((corners.amin(1), corners.amax(1)), dim=1)


def some_pixels(height: int = 40, width: int = 60) -> Tensor:
    return torch.randint(
        0, 256, (3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )


def unpacked(packet: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    (length,) = struct.unpack_from("<I", packet)
    header, start, parts = json.loads(packet[4 : 4 + length]), 4 + length, {}
    # Written in the order in which packet.js reads them.
    for name in ("image", "overlay", "raster", "boxes", "shown", "candidates", "scores", "labels"):
        if name in header["parts"]:
            assert start % 4 == 0
            parts[name] = packet[start : start + header["parts"][name]]
            start += -(-header["parts"][name] // 4) * 4
    assert start == len(packet)
    return header, parts


# --- packet ---


def test_the_packet_holds_image_overlay_boxes_and_styles() -> None:
    first = BoxGroup(some_boxes(3), "first", "#112233", halo="rgba(0,0,0,0.5)", labels=("a", "b", "c"))
    second = BoxGroup(some_boxes(2, 1), "second", "#445566", dash="dot", hover=("x<br>y", "z"))
    overlay = torch.full((2, 3, 4), 128, dtype=torch.uint8)
    header, parts = unpacked(pack(some_pixels(), [first, second], overlay=overlay, selected=(1, 0)))
    assert header["size"] == [40, 60]
    assert Image.open(io.BytesIO(parts["image"])).size == (60, 40)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(parts["overlay"]))), overlay.numpy())
    boxes = np.frombuffer(parts["boxes"], "<f4").reshape(-1, 4)
    assert np.array_equal(boxes, torch.cat((first.boxes, second.boxes)).numpy())
    assert [group["count"] for group in header["groups"]] == [3, 2]
    assert header["groups"][0]["halo"] == {"color": "#000000", "alpha": 0.5}
    assert header["groups"][1]["hover"] == ["x\ny", "z"]
    # Only what says something can be picked.
    assert [group["picks"] for group in header["groups"]] == [False, True]
    assert header["selected"] == [1, 0]
    assert header["pointed"] == second.boxes[0].tolist()


def test_equal_pictures_give_equal_bytes_and_others_do_not() -> None:
    def made(seed: int) -> bytes:
        return pack(some_pixels(), [BoxGroup(some_boxes(4, seed), "boxes", "#0072B2")])

    assert made(0) == made(0)
    assert made(0) != made(1)


@pytest.mark.parametrize(("large", "painted"), [(MOST_DRAWN - 10, False), (MOST_DRAWN - 9, True)])
def test_above_the_limit_the_largest_group_goes_as_a_picture(large: int, painted: bool) -> None:
    groups = [
        BoxGroup(some_boxes(10), "few", "#0072B2", hover=("text",) * 10),
        BoxGroup(some_boxes(large, 1), "many", "#E69F00", hover=("text",) * large),
    ]
    header, parts = unpacked(pack(some_pixels(), groups, selected=(1, 5)))
    assert ("raster" in parts) == painted
    assert header["groups"][1]["count"] == (0 if painted else large)
    assert header["groups"][1]["picks"] != painted
    assert len(parts["boxes"]) == 16 * (10 if painted else 10 + large)
    # The selected box can be shown although its group is only a picture.
    assert header["pointed"] == groups[1].boxes[5].tolist()


def test_boxes_that_are_not_finite_do_not_spoil_the_packet() -> None:
    boxes = torch.tensor([[0, 0, float("nan"), 5], [1, 1, 9, 9]])
    header, _ = unpacked(pack(some_pixels(), [BoxGroup(boxes, "one", "#0072B2")], selected=(0, 0)))
    assert header["pointed"] is None
    many = BoxGroup(boxes.repeat(MOST_DRAWN, 1), "many", "#0072B2")
    assert "raster" in unpacked(pack(some_pixels(), [many]))[1]


def test_an_image_is_encoded_once_and_again_after_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    encode = encoded.jpeg_bytes
    monkeypatch.setattr(encoded, "jpeg_bytes", lambda pixels: calls.append(1) or encode(pixels))
    pixels = some_pixels()
    assert image_file(pixels) == image_file(pixels) == encode(pixels)
    assert len(calls) == 1
    pixels.zero_()
    assert image_file(pixels) == encode(pixels)
    assert len(calls) == 2
    name = id(pixels)
    del pixels
    gc.collect()
    assert name not in encoded._images


def test_the_words_name_groups_counts_and_first_labels() -> None:
    groups = [
        BoxGroup(some_boxes(20), "detections", "#0072B2", labels=tuple(f"circle {n}" for n in range(20))),
        BoxGroup(some_boxes(1), "lost", "#C0392B", hover=("lost: #4<br>36 x 35 px",)),
        BoxGroup(some_boxes(0), "nothing", "#C0392B"),
    ]
    words = in_words(groups)
    assert words.startswith("detections, 20 boxes: circle 0; circle 1; ")
    assert "and 8 more" in words
    assert words.endswith("lost, 1 box: lost: #4.")
    assert in_words([]) == "The image without boxes."


def test_every_script_is_part_of_the_one_module() -> None:
    scripts = list(Path(encoded.__file__).parent.glob("*.js"))
    assert len(scripts) > 3
    for path in scripts:
        assert path.read_text(encoding="utf-8") in script(), path.name


# --- raster ---


@pytest.mark.parametrize("seed", range(3))
def test_the_raster_marks_exactly_the_edges(seed: int) -> None:
    boxes = some_boxes(30, seed)
    painted = raster([BoxGroup(boxes, "boxes", "#0A141E", opacity=0.5)], (60, 60)).numpy()
    factor = painted.shape[0] // 60
    assert painted.shape == (60 * factor, 60 * factor, 4)
    expected = np.zeros(painted.shape[:2], bool)
    for box in boxes.double().numpy() * factor:
        x1, y1, x2, y2 = np.rint(box).clip(0, 60 * factor - 1).astype(int)
        expected[[y1, y2], x1 : x2 + 1] = True
        expected[y1 : y2 + 1, [x1, x2]] = True
    assert np.array_equal(painted[..., 3] > 0, expected)
    assert (painted[expected][:, :3] == (10, 20, 30)).all()
    assert painted[..., 3].max() <= 128


def test_where_more_lines_lie_the_raster_is_less_transparent() -> None:
    boxes = torch.tensor([[5.0, 5, 20, 20]] * 50 + [[30.0, 30, 50, 50]])
    painted = raster([BoxGroup(boxes, "boxes", "#0072B2")], (60, 60)).numpy()
    factor = painted.shape[0] // 60
    often, once = painted[5 * factor, 10 * factor, 3], painted[30 * factor, 40 * factor, 3]
    assert often == 255
    assert 0 < once < often


# --- what comes back ---


GROUPS = [
    BoxGroup(some_boxes(5), "first", "#0072B2", hover=("text",) * 5),
    BoxGroup(some_boxes(3, 1), "second", "#E69F00"),
]


def test_a_pick_is_read() -> None:
    state = {"pick": {"x": 3, "y": 4.5, "boxes": [[0, 4], [1, 2]], "current": 1}}
    event = read_event(state, GROUPS)
    assert event == CanvasEvent(Pick(3.0, 4.5, ((0, 4), (1, 2)), 1))
    assert event.pick is not None
    assert event.pick.box == (1, 2)


def test_a_pick_beside_all_boxes_a_drawn_box_and_thresholds_are_read() -> None:
    assert read_event({"pick": {"x": 1, "y": 2, "boxes": [], "current": None}}, GROUPS).pick == Pick(1, 2)
    assert read_event({"drawn": [1, 2, 3, 4]}, GROUPS).drawn == (1, 2, 3, 4)
    assert read_event({"thresholds": {"score": 0.5, "nms": 0.25}}, GROUPS).thresholds == (0.5, 0.25)


@pytest.mark.parametrize(
    "state",
    [
        None,
        {"pick": {"x": 1, "y": 2, "boxes": [[0, 5]], "current": 0}},
        {"pick": {"x": 1, "y": 2, "boxes": [[0, -1]], "current": 0}},
        {"pick": {"x": 1, "y": 2, "boxes": [[2, 0]], "current": 0}},
        {"pick": {"x": 1, "y": 2, "boxes": [["0", 0]], "current": 0}},
        {"pick": {"x": float("nan"), "y": 2, "boxes": [], "current": None}},
        {"pick": {"x": 10**400, "y": 2, "boxes": [], "current": None}},
        {"drawn": [5, 5, 5, 9]},
        {"drawn": [9, 5, 5, 9]},
        {"drawn": [1, 2, 3, float("inf")]},
        {"drawn": [1, 2, 3]},
        {"thresholds": {"score": 1.5, "nms": 0.5}},
        {"thresholds": {"score": 0.5}},
    ],
)
def test_what_makes_no_sense_is_left_out(state: Any) -> None:
    assert read_event(state, GROUPS) == CanvasEvent()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["x", "y", "boxes", "current", "score", "nms"]), inner, max_size=6
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(["pick", "drawn", "thresholds", "other"]), json_values))
def test_no_forged_message_raises(state: dict[str, Any]) -> None:
    event = read_event(state, GROUPS)
    if event.pick is not None:
        assert all(place < len(GROUPS[group]) for group, place in event.pick.boxes)
        assert event.pick.current is None or event.pick.current < len(event.pick.boxes)


@pytest.mark.parametrize("seed", range(3))
def test_boxes_at_a_point_are_all_of_them_smallest_first(seed: int) -> None:
    groups = [
        BoxGroup(some_boxes(200, seed), "first", "#0072B2", hover=("text",) * 200),
        BoxGroup(some_boxes(200, seed + 9), "mute", "#0072B2"),
    ]
    found = boxes_at(groups, 30.0, 30.0)
    inside = {
        (0, place)
        for place, (x1, y1, x2, y2) in enumerate(groups[0].boxes.tolist())
        if x1 <= 30 <= x2 and y1 <= 30 <= y2
    }
    assert set(found) == inside
    areas = [float((box[2] - box[0]) * (box[3] - box[1])) for box in groups[0].boxes[[p for _, p in found]]]
    assert areas == sorted(areas)


# --- candidates of the preview ---


def test_the_candidates_are_the_slots_that_some_threshold_keeps() -> None:
    detector = shared_detector("fasterrcnn_resnet50_fpn")
    replayer = Replayer(
        capture(detector, torch.rand((3, 96, 128), generator=torch.Generator().manual_seed(2)))
    )
    preview = preview_of(replayer.replay())
    for score in (LOWEST_SCORE, 0.15, 0.3):
        for nms in (0.3, 1.0):
            replay = replayer.replay(replayer.trace.thresholds.replace(box_score=score, box_nms=nms))
            known = {tuple(box) for box in torch.cat((preview.boxes, preview.labels[:, None]), 1).tolist()}
            kept = replay.detections.kept
            boxes, labels = replay.detections.boxes[kept], replay.detections.labels[kept]
            assert {tuple(box) for box in torch.cat((boxes, labels[:, None]), 1).tolist()} <= known
