"""The subcommand `boxscope convert`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from detector.data import VocDataset, YoloDataset
from viz_app import cli


def test_a_data_set_is_converted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["convert", "shapes:2:5", "--to", "voc", "--out", str(tmp_path / "voc")]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{tmp_path / 'voc'}: 2 images, ")
    assert "note: VOC has no order of categories" in said
    voc = VocDataset(tmp_path / "voc")
    assert (
        cli.run(["convert", str(tmp_path / "voc"), "--to", "yolo", "--out", str(tmp_path / "y"), "--json"])
        == 0
    )
    told = json.loads(capsys.readouterr().out)
    assert {"folder": str(tmp_path / "y"), "kind": "yolo", "images": 2}.items() <= told.items()
    assert told["objects"] == sum(len(voc.truth(index)) for index in range(2))
    assert YoloDataset(tmp_path / "y").categories == voc.categories


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["shapes:2", "--to", "csv", "--out", "never"], "--to is 'csv'; expected coco, voc, yolo"),
        (["nowhere", "--to", "voc", "--out", "never"], "there is no data set 'nowhere'"),
        (["shapes:2", "--to", "voc"], "--out"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str],
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.run(["convert", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert named in said.err
    assert said.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
