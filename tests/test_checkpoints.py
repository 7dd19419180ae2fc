"""Our own checkpoint files: they come back as they were, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import safetensors
import safetensors.torch
import torch
from support.checkpoints import (
    CONFIG,
    MOBILE,
    NAMES,
    assert_same_model,
    mobile,
    pyramid,
    refusal,
    seeded,
)
from torch import nn
from torchvision.models import detection
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import FrozenBatchNorm2d

from detector.models.blueprints import Blueprint, freeze_norm
from detector.models.checkpoints import save_checkpoint
from detector.models.pyramid import PyramidDetector, build_pyramid
from detector.models.zoo import load_detector


def test_a_pyramid_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "best.safetensors"
    digest = save_checkpoint(path, pyramid(), categories=NAMES, metadata={"seed": 7, "ap": [0.5, 0.9]})
    detector = load_detector(path)
    assert_same_model(detector.model, pyramid())
    assert isinstance(detector.model, PyramidDetector)
    assert detector.model.config == CONFIG
    assert detector.categories == NAMES
    assert dict(detector.metadata) == {"seed": 7, "ap": [0.5, 0.9]}
    assert (detector.name, detector.notes, len(digest)) == ("best.safetensors", (), 64)
    assert [p.name for p in tmp_path.iterdir()] == ["best.safetensors"]


def test_torchvision_models_come_back_with_their_settings(tmp_path: Path) -> None:
    path = tmp_path / "mobile.safetensors"
    model = seeded(lambda: detection.fasterrcnn_mobilenet_v3_large_fpn(
        weights=None, weights_backbone=None, num_classes=5, min_size=72, max_size=99, box_score_thresh=0.0,
        rpn_score_thresh=0.0, rpn_pre_nms_top_n_test=123, box_fg_iou_thresh=0.6, image_mean=[0.1, 0.2, 0.3],
    ))  # fmt: skip
    freeze_norm(model.backbone.body, 0.25)
    model.rpn.anchor_generator = AnchorGenerator(((10, 20), (30, 40), (50, 60)), ((0.5, 2.0),) * 3)
    model.rpn.head = RPNHead(256, 4)
    save_checkpoint(path, model, categories=list("abcd"))
    loaded: Any = load_detector(path).model
    assert_same_model(loaded, model)
    assert loaded.rpn._pre_nms_top_n == model.rpn._pre_nms_top_n
    assert loaded.roi_heads.proposal_matcher.high_threshold == 0.6
    assert loaded.transform.image_mean == [0.1, 0.2, 0.3]
    assert {m.eps for m in loaded.modules() if isinstance(m, FrozenBatchNorm2d)} == {0.25}


def test_categories_may_be_named_anew(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_checkpoint(path, pyramid(), categories=NAMES[1:])
    assert load_detector(path).categories == NAMES
    assert load_detector(path, categories=("a", "b", "c")).categories == ("background", "a", "b", "c")
    assert "2 category names" in refusal(path, categories=("a", "b"))
    assert "anchor_sizes" in refusal(path, anchor_sizes=((8,), (16,), (40,)))


def test_saving_refuses_what_could_not_be_loaded(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_text("what was there before")
    with pytest.raises(ValueError, match="3 category names"):
        save_checkpoint(path, mobile(), categories=["a", "b", "c"])
    with pytest.raises(ValueError, match="JSON"):
        save_checkpoint(path, pyramid(), categories=NAMES, metadata={"ap": float("nan")})
    with pytest.raises(ValueError, match="JSON"):
        save_checkpoint(path, pyramid(), categories=NAMES, metadata={"model": object()})
    widened = seeded(lambda: detection.fasterrcnn_mobilenet_v3_large_fpn(
        weights=None, weights_backbone=None, num_classes=5,
        box_head=nn.Sequential(nn.Flatten(), nn.Linear(12544, 1024)),
    ))  # fmt: skip
    with pytest.raises(ValueError, match=r"missing for .* 'roi_heads.box_head.fc6.weight'"):
        save_checkpoint(path, widened, categories=list("abcd"))
    with pytest.raises(ValueError, match="no folder"):
        save_checkpoint(tmp_path / "none" / "x", pyramid(), categories=NAMES)
    assert path.read_text() == "what was there before"
    assert [p.name for p in tmp_path.iterdir()] == ["x.safetensors"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_not_saved(tmp_path: Path, value: float) -> None:
    path = tmp_path / "best.safetensors"
    save_checkpoint(path, pyramid(), categories=NAMES)
    before = path.read_bytes()
    diverged = seeded(lambda: build_pyramid(CONFIG), seed=1)
    with torch.no_grad():
        diverged.rpn.head.cls_logits.bias[0] = value
    with pytest.raises(ValueError, match=r"^1 tensor holds NaN .*'rpn\.head\.cls_logits\.bias'"):
        save_checkpoint(path, diverged, categories=NAMES)
    assert path.read_bytes() == before, "the last good weights stay"
    assert [p.name for p in tmp_path.iterdir()] == ["best.safetensors"]


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    occupied = tmp_path / "folder"
    (occupied / "inside").mkdir(parents=True)
    with pytest.raises(OSError):
        save_checkpoint(occupied, pyramid(), categories=NAMES)
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("seed", range(6))
def test_one_flipped_bit_is_refused(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "x.safetensors"
    save_checkpoint(path, pyramid(), categories=NAMES, metadata={"note": "hello"})
    data = bytearray(path.read_bytes())
    header = int.from_bytes(data[:8], "little")
    generator = torch.Generator().manual_seed(seed)
    place = int(torch.randint(8 + header, len(data), (1,), generator=generator))
    data[place] ^= 1 << seed
    path.write_bytes(data)
    assert "SHA-256" in refusal(path)


@pytest.mark.parametrize(
    ("old", "new"), [(b"star", b"tart"), (b"hello", b"jello"), (b"per_class", b"per_clazz")]
)
def test_an_edited_header_is_refused(tmp_path: Path, old: bytes, new: bytes) -> None:
    path = tmp_path / "x.safetensors"
    save_checkpoint(path, pyramid(), categories=NAMES, metadata={"note": "hello"})
    data = path.read_bytes()
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, new))
    assert "SHA-256" in refusal(path)


def test_other_versions_and_headers_that_make_no_model(tmp_path: Path) -> None:
    from detector.data.sealed import write_sealed

    path = tmp_path / "x.safetensors"
    tensors = dict(pyramid().state_dict())
    safetensors.torch.save_file(tensors, path, metadata={"boxscope": "2"})
    assert "version is '2'" in refusal(path)
    entries = {"categories": "[]", "metadata": "{}"}
    bad_configs = (
        {}, {"num_classes": "many"}, {"num_classes": 4, "colour": 1}, {"num_classes": 4, "channels": -3},
        {"num_classes": 4, "hidden": 10**12}, {"num_classes": 4, "anchor_sizes": 5}, [4],
    )  # fmt: skip
    for config in bad_configs:
        write_sealed(
            path, "checkpoint", tensors, {"family": "pyramid", "config": json.dumps(config), **entries}
        )
        assert refusal(path)
    for family, config in (("oracle", {}), (MOBILE, {"weights": "DEFAULT"}), (MOBILE, {"num_classes": None})):
        write_sealed(path, "checkpoint", tensors, {"family": family, "config": json.dumps(config), **entries})
        assert refusal(path)
    write_sealed(path, "checkpoint", tensors, {"family": "pyramid"})
    assert "header" in refusal(path)


def test_a_file_replaced_after_loading_changes_nothing(tmp_path: Path) -> None:
    for path, save in (
        (tmp_path / "x.safetensors", lambda p: save_checkpoint(p, pyramid(), categories=NAMES)),
        (tmp_path / "x.pth", lambda p: torch.save(mobile().state_dict(), p)),
    ):
        save(path)
        hints = {"architecture": MOBILE, "min_size": 64, "max_size": 96} if path.suffix == ".pth" else {}
        detector = load_detector(path, **hints)
        with path.open("r+b") as file:  # in place: the same inode, now shorter and of other bytes
            file.truncate(100)
            file.write(b"\xff" * 100)
        assert_same_model(detector.model, mobile() if path.suffix == ".pth" else pyramid())


def test_loading_reads_no_random_numbers(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    before = torch.get_rng_state()
    save_checkpoint(path, pyramid(), categories=NAMES)
    load_detector(path)
    Blueprint(MOBILE, {"num_classes": 3}).build()
    assert torch.equal(torch.get_rng_state(), before)
