"""`config.yaml`: written whole, read back without a loss, and refused in one sentence."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.data.augmentation import Augmentation
from detector.data.plain_yaml import parse_yaml
from detector.models.losses import LossWeights
from detector.training import settings as known
from detector.training.config import DataConfig, ModelConfig, Recipe, RunConfig, TrainerConfig
from detector.training.config_file import (
    changed,
    config_of,
    config_text,
    read_config,
    write_config,
)

ODD = RunConfig(
    model=ModelConfig(
        source="runs/ä #1/best: [x].safetensors",
        pyramid={"body": "small", "anchor_sizes": [[8, 16], [32, 48], [64, 96]]},
        anchor_sizes=((8.5,), (16.0,), (32.0,)),
        aspect_ratios=(0.5, 1.0),
        dropout=0.25,
    ),
    data=DataConfig(train="null", limit_train=3, augmentation=Augmentation(scale=(0.8, 1.2), colour=0.5)),
    recipe=Recipe("sgd", lr=1e-5, loss_weights=LossWeights(fast_rcnn_bbox=2.0), unfreeze_epoch=None),
    trainer=TrainerConfig(devices=2, precision="16-mixed"),
    monitor="recall/RPN_NMS",
)
positive = st.floats(1e-12, 1e6, exclude_min=True)


@pytest.mark.parametrize("config", [RunConfig(), ODD], ids=["default", "odd"])
def test_what_is_written_is_read_back(config: RunConfig, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    write_config(path, config)
    assert read_config(path) == config
    assert config_text(read_config(path)) == path.read_text()
    assert list(tmp_path.iterdir()) == [path]


@settings(max_examples=30, deadline=None)
@given(positive, positive, st.integers(0, 10**9), st.text(st.characters(codec="utf-8"), max_size=20))
def test_no_number_and_no_text_is_lost(lr: float, clip: float, seed: int, source: str) -> None:
    config = RunConfig(ModelConfig(source), DataConfig(val=source), Recipe(lr=lr, clip_norm=clip), seed=seed)
    assert config_of(parse_yaml(config_text(config))) == config


def test_a_file_says_as_little_as_it_likes(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("recipe: {lr: 3e-4, warmup_steps: 7}\nepochs: 3\n")
    wanted = RunConfig(recipe=Recipe(lr=3e-4, warmup_steps=7), epochs=3)
    assert read_config(path) == wanted
    assert read_config(path, {"recipe.lr": "2e-3", "trainer.devices": "auto"}).recipe.lr == 2e-3


MISTAKES = {
    "recipe: {learning_rate: 1}": "there is no setting recipe.learning_rate; there are optimizer, lr",
    "recipe: {weigth_decay: 1}": "there is no setting recipe.weigth_decay; did you mean recipe.weight_decay?",
    "epoch: 3": "there is no setting epoch; did you mean epochs?",
    "recipe: {lr: fast}": "recipe.lr is 'fast'; expected a number",
    "recipe: {lr: true}": "recipe.lr is True; expected a number",
    "recipe: {lr: -1}": "recipe.lr is -1.0; expected a number above 0",
    "recipe: {optimizer: adam}": "recipe.optimizer is 'adam'; expected adamw or sgd",
    "recipe: 3": "recipe is 3; expected settings by name",
    "recipe: null": "recipe is nothing; expected settings by name",
    "epochs: 2.5": "epochs is 2.5; expected a whole number",
    "epochs: 0": "epochs is 0; expected 1 or more",
    "data: {limit_train: x}": "data.limit_train is 'x'; expected a whole number or null",
    "data: {train: 8}": "data.train is 8; expected text",
    "data: {augmentation: {scale: [1]}}": "data.augmentation.scale is [1]; expected a list of 2 numbers",
    "model: {anchor_sizes: [[8], [a]]}": "model.anchor_sizes[1][0] is 'a'; expected a number",
    "model: {anchor_sizes: 8}": "model.anchor_sizes is 8; expected a list of lists of numbers or null",
    "model: {pyramid: {num_classes: 3}}": "pyramid.num_classes is given; leave it out, the data set says it",
    "epochs: 3\nepochs: 4": "it is not YAML in line 2 (epochs comes twice)",
    "recipe: [1": "it is not YAML in line 1",
    "- 1": "it holds [1]; expected settings such as `epochs: 10`",
    "": "it holds nothing; expected settings such as `epochs: 10`",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_one_sentence_that_names_the_key(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ValueError) as mistake:
        read_config(path)
    assert str(mistake.value).startswith(f"{path}: ")
    assert MISTAKES[text] in str(mistake.value)
    assert "\n" not in str(mistake.value)


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"gone\.yaml: there is no such file"):
        read_config(tmp_path / "gone.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"binary\.yaml: this is not text in UTF-8"):
        read_config(tmp_path / "binary.yaml")


def test_changes_win_and_leave_everything_else() -> None:
    changes = {
        "recipe.loss_weights.rpn_cls": "3",
        "model.anchor_sizes": "[[8], [16], [32]]",
        "data.train": "1 #2",
    }
    after = changed(ODD, changes)
    assert after.recipe.loss_weights == LossWeights(rpn_cls=3.0, fast_rcnn_bbox=2.0)
    assert after.model.anchor_sizes == ((8.0,), (16.0,), (32.0,))
    assert after.data.train == "1 #2"
    assert dataclasses.replace(after, model=ODD.model, data=ODD.data, recipe=ODD.recipe) == ODD
    assert changed(ODD, {"model.weights": "null"}).model.weights is None


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("recipe.lr", "x", "recipe.lr is 'x'"),
        ("recipe.lr", "[1", "recipe.lr is '[1'; it is not YAML"),
        ("epochs.of", "1", "epochs.of is no setting: epochs is 10"),
        ("nothing.here", "1", "there is no setting nothing"),
    ],
)
def test_a_change_that_cannot_be_names_the_key(key: str, text: str, said: str) -> None:
    with pytest.raises(ValueError) as mistake:
        changed(RunConfig(), {key: text})
    assert said in str(mistake.value)


def test_every_setting_has_a_meaning_and_its_default() -> None:
    table = known.settings()
    content = dataclasses.asdict(RunConfig())
    for one in table:
        value = content
        for name in one.key.split("."):
            value = value[name]
        assert value == one.default
        assert one.meaning, f"{one.key} is not explained in its docstring"
    assert len({one.key for one in table}) == len(table)
    words = {one.key: one.words for one in table}
    assert words["recipe.lr"] == "NUMBER"
    assert words["recipe.optimizer"] == "adamw|sgd"
    assert words["data.limit_train"] == "WHOLE|null"
