"""The model of a run: what it takes over, what begins anew, and that every one of them can be saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from support.models import build_detector
from torch import nn

from detector.models.blueprints import Blueprint
from detector.models.checkpoints import save_checkpoint
from detector.models.detector import Detector
from detector.models.families import TORCHVISION_NAMES
from detector.models.state_dicts import check_fit
from detector.models.zoo import load_detector
from detector.training.building import build_model, check_teachable, starts_at_random
from detector.training.config import ModelConfig

NAMES = ("background", "circle", "triangle", "square", "star", "cross", "ring")
SMALL = {"body": "small", "channels": 8, "hidden": 12, "min_size": 64, "max_size": 64}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained Faster R-CNN of another world, so to speak: five categories, MobileNet."""
    detector = build_detector("fasterrcnn_mobilenet_v3_large_320_fpn")
    path = tmp_path_factory.mktemp("saved") / "five.safetensors"
    save_checkpoint(path, detector.model, categories=("a", "b", "c", "d", "e"))
    return path


def state(detector: Detector) -> dict[str, torch.Tensor]:
    return detector.model.state_dict()


@pytest.mark.parametrize("family", TORCHVISION_NAMES)
def test_every_family_with_another_head_and_other_anchors_can_be_described(family: str) -> None:
    config = ModelConfig(family, min_size=96, max_size=128, aspect_ratios=(0.5, 1.0), box_nms=0.4)
    detector = build_model(config, ("background", "cat", "dog"))
    check_described(detector, family)


def check_described(detector: Detector, family: str) -> None:
    """What `save_checkpoint` needs: a blueprint whose model takes these very tensors."""
    blueprint = Blueprint.of(detector.model)
    again = blueprint.outline()
    check_fit(state(detector), again.state_dict(), family)
    assert dict(Blueprint.of(again).settings) == dict(blueprint.settings)
    assert again.rpn.anchor_generator.num_anchors_per_location()[0] == again.rpn.head.cls_logits.out_channels
    assert (again.transform.min_size, again.transform.max_size) == ([96], 128)
    assert (again.roi_heads.nms_thresh, detector.categories) == (0.4, ("background", "cat", "dog"))


def test_a_replaced_head_survives_the_file(saved: Path, tmp_path: Path) -> None:
    anchors = ((16.0, 24.0),) * 3
    detector = build_model(ModelConfig(str(saved), anchor_sizes=anchors), ("background", "cat"))
    save_checkpoint(tmp_path / "x.safetensors", detector.model, categories=detector.categories)
    again = load_detector(tmp_path / "x.safetensors")
    assert again.categories == ("background", "cat") and again.model.rpn.anchor_generator.sizes == anchors
    assert all(torch.equal(value, state(again)[name]) for name, value in state(detector).items())


def test_a_pyramid_from_scratch_is_what_the_settings_say(tmp_path: Path) -> None:
    config = ModelConfig(
        "pyramid", pyramid=SMALL, dropout=0.3, hard_negative_share=0.5, anchor_sizes=((8,), (16,), (32,))
    )
    detector = build_model(config, NAMES, seed=3)
    found = detector.model.config
    assert (found.dropout, found.hard_negative_share, found.num_classes) == (0.3, 0.5, 7)
    assert found.anchor_sizes == ((8.0,), (16.0,), (32.0,)) and detector.notes == ()
    save_checkpoint(tmp_path / "x.safetensors", detector.model, categories=detector.categories)
    assert load_detector(tmp_path / "x.safetensors").model.config == found
    again, other = (build_model(config, NAMES, seed=seed) for seed in (3, 4))
    assert all(torch.equal(value, state(again)[name]) for name, value in state(detector).items())
    assert not torch.equal(state(other)["rpn.head.conv.0.0.weight"], state(again)["rpn.head.conv.0.0.weight"])


def test_with_its_own_categories_a_detector_stays_as_it_is() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    detector, bundled = build_model(ModelConfig(), NAMES), load_detector("shapes")
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(value, state(detector)[name]) for name, value in state(bundled).items())
    assert detector.notes == bundled.notes and detector.model.config == bundled.model.config


def test_categories_known_by_name_keep_their_rows(saved: Path) -> None:
    source, detector = load_detector(saved), build_model(ModelConfig(str(saved)), ("background", "d", "b"))
    embedding = torch.randn((5, source.model.roi_heads.box_predictor.cls_score.in_features))
    rows = [0, 4, 2]
    with torch.no_grad():
        scores, deltas = detector.model.roi_heads.box_predictor(embedding)
        all_scores, all_deltas = source.model.roi_heads.box_predictor(embedding)
    assert torch.allclose(scores, all_scores[:, rows], atol=1e-6)
    assert torch.allclose(deltas.reshape(5, 3, 4), all_deltas.reshape(5, 6, 4)[:, rows], atol=1e-6)
    assert "of the 5 categories of five.safetensors 2 were kept" in detector.notes[-1]


def test_one_new_category_lets_the_head_begin_anew_and_nothing_else(saved: Path) -> None:
    source, detector = (
        load_detector(saved),
        build_model(ModelConfig(str(saved)), ("background", "b", "zebra", "d", "e", "f"), seed=5),
    )
    differ = {name for name, value in state(source).items() if not torch.equal(value, state(detector)[name])}
    assert differ == {f"roi_heads.box_predictor.{part}.weight" for part in ("cls_score", "bbox_pred")} | {
        f"roi_heads.box_predictor.{part}.bias" for part in ("cls_score", "bbox_pred")
    }
    assert "begin anew with random weights: the class scores, the box deltas" in detector.notes[-1]


def test_shared_box_deltas_of_a_pyramid_outlive_its_categories() -> None:
    detector, bundled = build_model(ModelConfig(), ("background", "cow")), load_detector("shapes")
    name = "roi_heads.box_predictor.bbox_pred.weight"
    assert torch.equal(state(detector)[name], state(bundled)[name])
    assert detector.notes[-1].endswith("random weights: the class scores")


@pytest.mark.parametrize(
    ("sizes", "anew"), [(((8, 9), (16, 17), (32, 33)), False), (((8,), (16,), (32,)), True)]
)
def test_other_anchors_cost_the_rpn_its_outputs_only_where_their_number_changes(
    sizes: Any, anew: bool
) -> None:
    detector, bundled = build_model(ModelConfig(anchor_sizes=sizes), NAMES), load_detector("shapes")
    differ = {
        name for name, value in state(bundled).items()
        if value.shape != state(detector)[name].shape or not torch.equal(value, state(detector)[name])
    }  # fmt: skip
    outputs = {
        f"rpn.head.{part}.{kind}" for part in ("cls_logits", "bbox_pred") for kind in ("weight", "bias")
    }
    assert differ == (outputs if anew else set())
    assert detector.model.rpn.anchor_generator.sizes == tuple(tuple(map(float, level)) for level in sizes)


def test_what_the_source_froze_for_good_stays_frozen() -> None:
    detector = build_model(ModelConfig("pyramid", pyramid={**SMALL, "freeze_backbone": True}), NAMES)
    assert not any(one.requires_grad for one in detector.model.backbone.parameters())
    assert all(one.requires_grad for one in detector.model.rpn.parameters())


REFUSED = [
    (ModelConfig("nope"), "there is no detector 'nope'"),
    (ModelConfig(anchor_sizes=((1.0,),)), "this detector has 3 levels"),
    (ModelConfig(anchor_sizes=((1.0,), (2.0, 3.0), (4.0,))), "each needs equally many"),
    (ModelConfig(aspect_ratios=()), "model.aspect_ratios is (); expected numbers above 0"),
    (ModelConfig(min_size=1000), "model.min_size 1000 is over model.max_size 256"),
    (ModelConfig(weights="DEFAULT"), "goes with a torchvision name only"),
    (ModelConfig(pyramid={"chanels": 3}), "a pyramid detector has no setting 'chanels'"),
    (ModelConfig("pyramid", pyramid={"channels": "x"}), "model.pyramid holds a value of a wrong type"),
    (ModelConfig("pyramid", weights="V1"), "a pyramid has DEFAULT"),
    (ModelConfig("pyramid", weights="DEFAULT", pyramid=SMALL), "'small' has no pretrained weights"),
]  # fmt: skip


@pytest.mark.parametrize(("config", "said"), REFUSED)
def test_what_cannot_be_built_is_said_in_one_sentence(config: ModelConfig, said: str) -> None:
    with pytest.raises(ValueError) as mistake:
        build_model(config, NAMES)
    assert said in str(mistake.value) and "\n" not in str(mistake.value)


@pytest.mark.parametrize("name", ["dropout", "hard_negative_share"])
def test_settings_of_pyramids_are_refused_for_others(name: str, saved: Path) -> None:
    with pytest.raises(ValueError, match=rf"model\.{name} goes with a pyramid detector"):
        build_model(ModelConfig(str(saved), **{name: 0.2}), NAMES)


def test_masks_and_keypoints_need_data_that_teach_them() -> None:
    plain = build_model(ModelConfig("pyramid", pyramid=SMALL), NAMES)
    check_teachable(plain, {"boxes": 0, "labels": 0})
    plain.model.roi_heads.mask_predictor = nn.Identity()
    check_teachable(plain, {"boxes": 0, "labels": 0, "masks": 0})
    with pytest.raises(
        ValueError, match="learns masks, too, and the training data have boxes only; take a Faster"
    ):
        check_teachable(plain, {"boxes": 0, "labels": 0})


def test_only_what_has_learned_nothing_starts_at_random() -> None:
    assert starts_at_random(ModelConfig("pyramid")) and starts_at_random(ModelConfig(TORCHVISION_NAMES[0]))
    assert not starts_at_random(ModelConfig(TORCHVISION_NAMES[0], weights="DEFAULT"))
    assert not starts_at_random(ModelConfig()) and not starts_at_random(
        ModelConfig("runs/x/best.safetensors")
    )
