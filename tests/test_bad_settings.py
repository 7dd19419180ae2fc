"""Settings that cannot be: refused in a sentence, in Python, in the shell, in links and in the app."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.app import calm, open_app, said
from support.models import build_detector

from detector import Replayer, capture
from detector.data import ShapesDataset
from detector.training.config import RunConfig
from detector.training.config_file import changed, read_config
from detector.training.settings import settings
from detector.training.tuning_launch import Team
from detector.training.tuning_space import parameters_of
from viz_app import cli
from viz_app.links import MOST_CANDIDATES, from_query

pytestmark = pytest.mark.usefixtures("fresh_caches")

NUMBERS = [one.key for one in settings() if one.words.split("|")[0] in ("NUMBER", "WHOLE")]


@pytest.mark.parametrize("text", [".nan", ".inf", "-.inf", "1e999", "yes", '"1"'])
@pytest.mark.parametrize("key", NUMBERS)
def test_no_setting_of_a_run_is_nan_infinite_or_a_word(key: str, text: str) -> None:
    if key == "trainer.devices" and text == '"1"':
        return  # a text, which Lightning reads
    with pytest.raises(ValueError, match=key.rpartition(".")[2]):
        changed(RunConfig(), {key: text})


OUT_OF_RANGE = {
    "data.workers": ("1000000000", "data.workers is 1000000000; expected 0 to 256"),
    "data.batch_size": ("0", "data.batch_size is 0; expected 1 to 4096"),
    "model.min_size": ("1000000000", "model.min_size is 1000000000; expected 1 to 16384"),
    "model.anchor_sizes": ("[[.nan]]", "model.anchor_sizes holds (nan,); expected numbers above 0"),
    "model.aspect_ratios": ("[-1]", "model.aspect_ratios holds (-1.0,); expected numbers above 0"),
    "seed": ("4294967296", "seed is 4294967296; expected 0 to 4294967295"),
    "trainer.devices": ("1000000000", "trainer.devices is 1000000000; expected 4096 at most"),
    "probes": ("9", "probes is 9; expected 0 to 8"),
    "recipe.loss_weights.rpn_cls": ("-1", "the loss weight rpn_cls is -1.0; expected a number from 0 up"),
}


@pytest.mark.parametrize("key", OUT_OF_RANGE)
def test_a_setting_out_of_range_is_named_with_its_range(key: str, tmp_path: Path) -> None:
    text, sentence = OUT_OF_RANGE[key]
    with pytest.raises(ValueError) as refused:
        changed(RunConfig(), {key: text})
    assert sentence in str(refused.value)


def test_a_settings_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_bytes(b"\xef\xbb\xbfepochs: 3\n")
    assert read_config(path) == replace(RunConfig(), epochs=3)


COMMANDS = {
    "diagnose shapes:2 --out out --box_score nan": "--box_score is 'nan'; expected a number",
    "diagnose shapes:2 --out out --box_score 1.5": "box_score is 1.5; expected a number from 0 to 1",
    "diagnose shapes:2 --out out --rpn_nms -0.1": "rpn_nms is -0.1; expected a number from 0 to 1",
    "diagnose shapes:2 --out out --rpn_pre_nms_top_n 0": "rpn_pre_nms_top_n is 0; expected a whole number of 1",
    "diagnose shapes:2 --out out --box_limit 2.5": "--box_limit is '2.5'; expected a whole number",
    "diagnose shapes:2 --out out --threads 1000000000": "threads is 1000000000; expected 256 at most",
    "diagnose shapes:2 --out out --processes 1000000000": "processes is 1000000000; expected 256 at most",
    "diagnose shapes:2 --out out --iou inf": "--iou is 'inf'; expected a number",
    "diagnose shapes:99999999999 --out out": "length of the shapes world is 99999999999; expected 1 to 10000000",
    "evaluate shapes:2 --out out --limit 0": "limit is 0; expected 1 or more",
    "doctor shapes:2 --limit -1": "--limit is -1; expected 1 or more",
    "tune thresholds shapes:2 --out out --parameters box_score=0..5": "box_score goes from 0 to 5; expected 0 to 1",
    "tune thresholds shapes:2 --out out --workers 1000000000": "workers is 1000000000; expected 256 at most",
    "tune thresholds shapes:2 --out out --trials 1000000000": "trials is 1000000000; expected 1000000 at most",
    "train --out out --recipe.lr nan": "recipe.lr is 'nan'; expected a number",
    "train --out out --recipe.lr 1e999": "recipe.lr is inf; expected a number above 0",
    "train --out out --recipe.learning_rate 1": "--recipe.learning_rate 1 is not understood",
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_a_number_that_cannot_be_is_one_line_and_writes_nothing(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BOXSCOPE_WORKSPACE", str(tmp_path / "workspace"))
    assert cli.run(command.split()) == cli.USAGE_ERROR
    assert COMMANDS[command] in capsys.readouterr().err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "bounds"),
    [("box_nms", "-0.1..0.5"), ("box_score", "0.5..1.1"), ("box_limit", "0..9"), ("box_limit", "1..1000000"),
     ("rpn_nms", "nan..1"), ("rpn_score", "0.6..0.5"), ("box_score", "0..inf")],
)  # fmt: skip
def test_bounds_that_no_threshold_can_have_are_refused(name: str, bounds: str) -> None:
    with pytest.raises(ValueError, match=name):
        parameters_of("thresholds", [f"{name}={bounds}"])


def test_workers_are_bounded() -> None:
    assert Team(256).workers == 256
    with pytest.raises(ValueError, match="workers is 257; expected 256 at most"):
        Team(257)


def test_a_billion_candidates_are_as_many_as_there_are() -> None:
    detector = build_detector("pyramid_per_class")
    trace = capture(detector, ShapesDataset(1, seed=3, size=64)[0][0])
    replayer = Replayer(trace, detector)
    many = {"rpn_pre_nms_top_n": 10**9, "box_limit": 10**9}
    every = dict.fromkeys(many, len(trace.rpn.anchors))
    first, second = (
        replayer.replay(trace.thresholds.replace(rpn_post_nms_top_n=50, **values)) for values in (many, every)
    )
    assert torch.equal(first.boxes, second.boxes) and torch.equal(first.scores, second.scores)


LINK = {
    "box_score": "nan",
    "rpn_pre_nms_top_n": "0",
    "rpn_post_nms_top_n": str(10**9),
    "box_limit": "1e9",
    "rpn_nms": "7",
}


def test_a_link_with_such_numbers_is_followed_without_them() -> None:
    choice, ignored = from_query(LINK)
    assert choice.thresholds == () and len(ignored) == len(LINK)
    assert any(f"a whole number from 1 to {MOST_CANDIDATES:,}" in sentence for sentence in ignored)


def test_the_app_says_so_and_its_sliders_have_ends() -> None:
    app = open_app("rpn", **LINK)
    assert all(name in said(app) for name in LINK)
    sliders = {str(one.key).partition("@")[0]: one for one in app.sidebar.slider if "@" in str(one.key)}
    assert set(LINK) <= set(sliders)
    for name in LINK:
        one = sliders[name]
        assert math.isfinite(one.value) and one.min <= one.value <= one.max <= MOST_CANDIDATES
        assert one.min == (1 if isinstance(one.value, int) else 0)
    calm(sliders["rpn_pre_nms_top_n"].set_value(1).run())
    assert app.query_params["rpn_pre_nms_top_n"] == "1" and not app.exception
