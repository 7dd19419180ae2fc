"""Checkpoints that are refused, each with one sentence, and pickles whose code never runs."""

from __future__ import annotations

import argparse
import json
import os
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from support.checkpoints import (
    NAMES,
    default_pyramid,
    pyramid,
    refusal,
)
from torchvision.models import detection

from detector.models.checkpoints import load_checkpoint, save_checkpoint
from detector.models.zoo import load_detector

Damage = Callable[[dict[str, Any]], object]


class Runs:
    """Unpickled carelessly, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_pickle_does_not_run(tmp_path: Path, legacy: bool) -> None:
    trap, path = tmp_path / "trap", tmp_path / "x.pth"
    for content in (Runs(trap), {"model": Runs(trap)}, {"model": {"backbone.x": Runs(trap)}}):
        torch.save(content, path, _use_new_zipfile_serialization=not legacy)
        assert "mkdir" in refusal(path)
    args = argparse.Namespace(model=Runs(trap))
    torch.save({"model": {}, "args": args}, path)
    assert "mkdir" in refusal(path)
    path.write_bytes(pickle.dumps(Runs(trap), protocol=2))
    assert refusal(path)
    assert not trap.exists()


def test_a_whole_model_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    torch.save(default_pyramid(), path)
    sentence = refusal(path)
    assert "detector.models.pyramid.PyramidDetector" in sentence
    assert "state_dict()" in sentence


def test_the_list_of_safe_globals_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    torch.save({"model": dict(default_pyramid().state_dict()), "args": argparse.Namespace()}, path)
    before = set(torch.serialization.get_safe_globals())
    load_detector(path)
    assert set(torch.serialization.get_safe_globals()) == before


def drop(name: str) -> Damage:
    return lambda state: state.pop(name)


def put(name: str, value: object) -> Damage:
    return lambda state: state.update({name: value})


SCORES, BIAS = "roi_heads.box_predictor.cls_score.weight", "roi_heads.box_predictor.cls_score.bias"
FIRST = "backbone.body.conv1.weight"


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (drop(FIRST), f"1 tensor is missing for pyramid; the first is {FIRST!r}"),
        (drop(SCORES), f"{SCORES!r} is missing"),
        (put("roi_heads.extra", torch.zeros(1)), "1 tensor is too many"),
        (put("extra", torch.zeros(1)), "'extra'"),
        (put(FIRST, torch.zeros(64, 1, 7, 7)), "[64, 1, 7, 7], expected [64, 3, 7, 7]"),
        (put(SCORES, torch.zeros(9, 24)), "cls_score.bias"),
        (put(SCORES, torch.zeros(())), "expected 2 dimensions"),
        (put("rpn.head.cls_logits.weight", torch.zeros(0, 16, 1, 1)), "expected 4 dimensions"),
        (put(BIAS, torch.zeros(3, dtype=torch.int64)), "wrong type"),
        (put(BIAS, torch.tensor([0, float("nan"), 0])), "NaN or infinite"),
        (put(FIRST, torch.full((64, 3, 7, 7), float("inf"))), FIRST),
        (put("rpn.head.cls_logits.bias", [0.0] * 6), "is a list, not a tensor"),
        (put("epoch", 3), "'epoch'"),
        (put(7, torch.zeros(1)), "keys"),  # type: ignore[arg-type]
        (lambda state: state.clear(), "no tensor"),
    ],
)  # fmt: skip
def test_state_dicts_that_do_not_fit(tmp_path: Path, damage: Damage, words: str) -> None:
    path, state = tmp_path / "x.pth", dict(default_pyramid().state_dict())
    damage(state)
    torch.save(state, path)
    assert words in refusal(path)


def test_huge_but_finite_weights_are_loaded(tmp_path: Path) -> None:
    path, state = tmp_path / "x.pth", dict(default_pyramid().state_dict())
    state["rpn.head.cls_logits.bias"] = torch.full((6,), 3e38)  # their sum overflows
    torch.save(state, path)
    assert load_detector(path).num_classes == 3


def test_models_of_other_kinds(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    with torch.device("meta"):
        others = {
            "classification": torchvision.models.resnet18(), "conv1": torchvision.models.resnet18(),
            "two-stage": detection.retinanet_resnet50_fpn(weights=None, weights_backbone=None),
            "features": torchvision.models.mobilenet_v3_large(),
        }  # fmt: skip
    for words, model in others.items():
        torch.save({name: torch.zeros(1) for name in model.state_dict()}, path)
        assert words in refusal(path)


@pytest.mark.parametrize("kind", ["safetensors", "zip", "pickle"])
@pytest.mark.parametrize("share", [0.001, 0.3, 0.999])
def test_half_written_files(tmp_path: Path, kind: str, share: float) -> None:
    path = tmp_path / "x"
    if kind == "safetensors":
        save_checkpoint(path, pyramid(), categories=NAMES)
    else:
        torch.save(pyramid().state_dict(), path, _use_new_zipfile_serialization=kind == "zip")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert "damaged" in refusal(path) or "not a checkpoint" in refusal(path)


@pytest.mark.parametrize("length", [0, 1, 2**40, 2**63])
def test_a_safetensors_header_that_lies(tmp_path: Path, length: int) -> None:
    path = tmp_path / "x.safetensors"
    save_checkpoint(path, pyramid(), categories=NAMES)
    path.write_bytes(length.to_bytes(8, "little") + path.read_bytes()[8:])
    assert "damaged" in refusal(path)
    header = json.dumps({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(64))
    assert "damaged" in refusal(path)


def test_files_of_other_kinds(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for content, words in (
        (b"", "empty"),
        (b"<html>not found</html>", "not a checkpoint"),
        (b"\x80\x02]", "damaged"),
    ):
        path.write_bytes(content)
        assert words in refusal(path)
    with tarfile.open(path, "w") as archive:
        link = tarfile.TarInfo("weights.pth")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    assert "tar archive" in refusal(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("archive/data.pkl", bytes(10**6))
    assert "compressed" in refusal(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("holiday.txt", "photos")
    assert "damaged" in refusal(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/constants.pkl", "")
    assert "TorchScript" in refusal(path)
    for content, words in (([1, 2], "holds a list"), (torch.zeros(2), "holds a Tensor"), ({}, "no tensor")):
        torch.save(content, path)
        assert words in refusal(path)


def test_paths_that_lead_nowhere(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "missing.pth")
    assert "folder" in refusal(tmp_path)
    with pytest.raises(ValueError, match=r"cannot be read|no such file"):
        load_checkpoint(tmp_path / ("x" * 300))
