"""What an image takes in memory is estimated, and refused where it is not free."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from support.app import open_app, said
from torchvision.models.detection import fasterrcnn_resnet50_fpn, maskrcnn_resnet50_fpn

from detector import Detector, capture, load_detector
from detector.data.shapes import ShapesDataset
from detector.judging.dataset_diagnosis import diagnose_dataset
from detector.tracing import memory_need
from detector.tracing.memory_need import bytes_free, bytes_needed, network_size, refuse_too_large
from viz_app.cli import run

# The peak of a process, beside what was estimated before.
MEASURE = """
import json, pathlib, sys
import torch
from detector import load_detector, capture
from detector.tracing.memory_need import bytes_needed
torch.set_num_threads(1)
detector, side = load_detector(sys.argv[1], **json.loads(sys.argv[2])), int(sys.argv[3])
detector.model.transform.min_size, detector.model.transform.max_size = (side,), 2 * side
pixels = torch.rand(3, side, side * 4 // 3)
def now(name):
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
pathlib.Path("/proc/self/clear_refs").write_text("5")
before, needed = now("VmRSS"), bytes_needed(detector, (side, side * 4 // 3))
capture(detector, pixels)
print(json.dumps([needed, now("VmHWM") - before]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak of a process anew")
@pytest.mark.parametrize(
    ("model", "words", "side"),
    [("shapes", {}, 768), ("fasterrcnn_resnet50_fpn", {"weights": None}, 320)],
)
def test_the_estimate_is_near_what_is_taken(model: str, words: dict[str, object], side: int) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", MEASURE, model, json.dumps(words), str(side)]
    needed, taken = json.loads(
        subprocess.run(command, env=environment, capture_output=True, check=True).stdout
    )
    assert 0.7 < needed / taken < 1.6


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which next to nothing is free."""
    monkeypatch.setattr(memory_need, "SMALL", 0)
    monkeypatch.setattr(memory_need, "bytes_free", lambda device: 2**20)


SENTENCE = (
    r"\(256 x 256 px\) would take about 0.0 GiB of memory in shapes, which makes it 256 x 256 px; "
    r"0.0 GiB are free. Set the model's min_size and max_size lower, or its rpn_post_nms_top_n"
)


def test_a_huge_image_is_refused_in_a_sentence_before_anything_is_computed(full: None) -> None:
    detector = load_detector("shapes")
    pixels = ShapesDataset(1)[0][0]

    def never(*_: object) -> None:
        raise AssertionError

    handle = detector.model.register_forward_pre_hook(never)
    with pytest.raises(ValueError, match=SENTENCE):
        capture(detector, pixels)
    handle.remove()


def test_the_command_refuses_it_with_status_2(full: None, capsys: pytest.CaptureFixture[str]) -> None:
    image = next(path for path in Path("sample_images").rglob("*.png"))
    assert run(["why", str(image)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("boxscope: ")
    assert "GiB are free" in said
    assert said.count("\n") == 1


@pytest.mark.usefixtures("fresh_caches")
def test_the_app_says_it_in_a_box(full: None) -> None:
    assert "GiB are free. Set the model's min_size and max_size lower" in said(open_app("rpn"))


def test_a_model_that_is_put_together_in_another_way_is_tried(
    full: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = load_detector("shapes")
    monkeypatch.setattr(detector.model.rpn.anchor_generator, "num_anchors_per_location", None)
    refuse_too_large(detector, (10**6, 10**6), "image")


def test_a_diagnosis_tells_it_of_the_image_and_goes_on(full: None, tmp_path: Path) -> None:
    found = diagnose_dataset(load_detector("shapes"), ShapesDataset(2), tmp_path, remedies=False)
    assert [problem.message.partition(";")[2] for problem in found.summary.problems] == [
        " 0.0 GiB are free. Set the model's min_size and max_size lower, or its rpn_post_nms_top_n"
    ] * 2


def test_more_pixels_and_rois_take_more() -> None:
    detector = load_detector("fasterrcnn_mobilenet_v3_large_fpn", weights=None)
    transform, rpn = detector.model.transform, detector.model.rpn
    plain = bytes_needed(detector, (600, 800))
    assert bytes_needed(detector, (6000, 8000)) > plain
    transform.min_size, transform.max_size = (1600,), 3000  # pyright: ignore[reportAttributeAccessIssue]
    large = bytes_needed(detector, (600, 800))
    assert large > plain
    rpn._post_nms_top_n["testing"] = 4000
    assert bytes_needed(detector, (600, 800)) > large


def test_masks_count_as_large_as_the_image() -> None:
    with torch.device("meta"):  # no weights
        plain, masks = (
            Detector.wrap(build(weights=None, weights_backbone=None))
            for build in (fasterrcnn_resnet50_fpn, maskrcnn_resnet50_fpn)
        )
    size = (3000, 4000)
    drawn = masks.model.roi_heads.detections_per_img * 3000 * 4000 * 4
    assert bytes_needed(masks, size) - bytes_needed(plain, size) >= drawn


def test_a_limit_of_a_control_group_counts(tmp_path: Path) -> None:
    plenty = bytes_free(torch.device("cpu"))
    assert memory_need._cgroup_free(tmp_path) == []
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("600\n")
    (tmp_path / "memory.stat").write_text("anon 100\nactive_file 30\ninactive_file 50\n")
    assert memory_need._cgroup_free(tmp_path) == []
    (tmp_path / "memory.max").write_text("1000\n")
    assert memory_need._cgroup_free(tmp_path) == [480]
    older = tmp_path / "older" / "memory"
    older.mkdir(parents=True)
    (older / "memory.limit_in_bytes").write_text("500\n")
    (older / "memory.usage_in_bytes").write_text("600\n")
    (older / "memory.stat").write_text("total_inactive_file 20\n")
    assert memory_need._cgroup_free(older.parent) == [0]
    assert plenty > 0


def test_the_network_size_is_the_transforms() -> None:
    detector = load_detector("shapes")
    for size in ((100, 300), (300, 100), (64, 64)):
        batch, _ = detector.model.transform([torch.zeros(3, *size)])
        assert network_size(detector.model.transform, size) == tuple(batch.image_sizes[0])
