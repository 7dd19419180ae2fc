"""`load_detector`: names, weights, caches, and what it says when neither cache nor network has them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import torch
from support.checkpoints import CONFIG, NAMES, assert_same_model, image, pyramid
from torch import Tensor
from torchvision.models import detection
from torchvision.ops import FrozenBatchNorm2d

from detector.models import zoo
from detector.models.checkpoints import save_checkpoint
from detector.models.families import TORCHVISION_NAMES
from detector.models.pyramid import PyramidConfig, build_pyramid
from detector.models.zoo import detector_names, load_detector

MOBILE = "fasterrcnn_mobilenet_v3_large_320_fpn"
MOBILE_FILE = "fasterrcnn_mobilenet_v3_large_320_fpn-907ea3f9.pth"
RESNET_FILE = "fasterrcnn_resnet50_fpn_coco-258fb6c6.pth"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty torch hub cache, and a network where nobody answers."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # the discard port: refused at once
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "home" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def published_state(name: str, seed: int = 0) -> dict[str, Tensor]:
    """Random weights with the names of a published file; variances so small that epsilon counts."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = getattr(detection, name)(weights=None, weights_backbone=None, num_classes=91)
        state = {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
        for key in state:
            if key.startswith("backbone.body") and key.endswith("running_var"):
                state[key] = torch.rand_like(state[key]) * 1e-5 + 1e-5
                state[key.replace("running_var", "weight")] = torch.full_like(state[key], 2e-3)
    return state


def features(model: Any) -> list[Tensor]:
    with torch.no_grad():
        return list(model.backbone(image()[None]).values())


# ---- names


def test_the_names_are_torchvisions_and_our_own() -> None:
    assert detector_names() == ("shapes", *TORCHVISION_NAMES)
    assert all(callable(getattr(detection, name)) for name in TORCHVISION_NAMES)


@pytest.mark.parametrize("name", [MOBILE, "keypointrcnn_resnet50_fpn"])
def test_random_weights(name: str) -> None:
    before = torch.get_rng_state()
    detector = load_detector(name)
    assert torch.equal(torch.get_rng_state(), before)
    assert detector.name == name
    assert "random" in detector.notes[0]
    assert not detector.model.training
    assert type(detector.model) is type(getattr(detection, name)(weights=None, weights_backbone=None))
    expected = ("no person", "person") if "keypoint" in name else ("__background__", "person", "bicycle")
    assert detector.categories[: len(expected)] == expected
    assert detector.num_classes == (2 if "keypoint" in name else 91)


@pytest.mark.parametrize("categories", [("a", "b"), ("background", "a", "b"), ("__background__", "a", "b")])
def test_random_weights_take_the_categories_given(categories: tuple[str, ...]) -> None:
    detector = load_detector(MOBILE, categories=categories)
    assert detector.num_classes == 3
    assert detector.categories[1:] == ("a", "b")


def test_unknown_names_and_wrong_keywords(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'fastercnn'.*shapes, fasterrcnn_resnet50_fpn, .*keypointrcnn"):
        load_detector("fastercnn")
    with pytest.raises(ValueError, match=r"no/such\.pth: there is no such file"):
        load_detector("no/such.pth")
    with pytest.raises(ValueError, match="there is no such file"):
        load_detector(tmp_path / "bare_word")
    with pytest.raises(ValueError, match=r"no weights 'COCO_V9'; there are COCO_V1, DEFAULT"):
        load_detector(MOBILE, weights="COCO_V9")
    other = detection.MaskRCNN_ResNet50_FPN_Weights.DEFAULT
    with pytest.raises(ValueError, match="has no weights MaskRCNN"):
        load_detector(MOBILE, weights=other)
    with pytest.raises(ValueError, match="torchvision name only"):
        load_detector("shapes", weights="DEFAULT")
    with pytest.raises(ValueError, match="anchor_sizes= goes with a checkpoint"):
        load_detector(MOBILE, anchor_sizes=((8,),) * 3)
    with pytest.raises(TypeError, match=r"Linear.*Detector\.wrap"):
        load_detector(torch.nn.Linear(1, 1))  # type: ignore[arg-type]


def test_the_bundled_detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "shapes.safetensors"
    save_checkpoint(path, pyramid(), categories=NAMES, metadata={"seed": 1})
    monkeypatch.setattr(zoo, "_BUNDLED_FILE", path)
    detector = load_detector("shapes")
    assert (detector.name, detector.categories, detector.metadata["seed"]) == ("shapes", NAMES, 1)
    assert_same_model(detector.model, pyramid())


def test_a_word_that_is_a_file_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(tmp_path / "best", pyramid(), categories=NAMES)
    monkeypatch.chdir(tmp_path)
    assert load_detector("best").categories == NAMES


# ---- torchvision's weights


def test_cached_weights_bring_categories_and_torchvisions_own_loading(hub: Path) -> None:
    state = published_state(MOBILE)
    torch.save(state, hub / MOBILE_FILE)
    expected = detection.fasterrcnn_mobilenet_v3_large_320_fpn(
        weights=detection.FasterRCNN_MobileNet_V3_Large_320_FPN_Weights.COCO_V1
    ).eval()
    before = torch.get_rng_state()
    detector = load_detector(MOBILE, weights="FasterRCNN_MobileNet_V3_Large_320_FPN_Weights.COCO_V1")
    assert torch.equal(torch.get_rng_state(), before)
    assert_same_model(detector.model, expected)
    assert len(detector.categories) == 91
    assert detector.categories[1] == "person"
    renamed = load_detector(MOBILE, weights="DEFAULT", categories=[f"c{index}" for index in range(90)])
    assert renamed.categories[:2] == ("background", "c0")
    by_hand = load_detector(hub / MOBILE_FILE)  # by its name, the file is known to be the 320-pixel model
    assert_same_model(by_hand.model, expected)


def test_the_same_file_by_hand_runs_with_the_same_epsilon(hub: Path) -> None:
    path = hub / RESNET_FILE
    torch.save(published_state("fasterrcnn_resnet50_fpn"), path)
    expected = features(load_detector("fasterrcnn_resnet50_fpn", weights="DEFAULT").model)
    by_hand = load_detector(path)
    assert all(map(torch.equal, features(by_hand.model), expected))
    assert any("epsilon is 0" in note and "another" in note for note in by_hand.notes)
    assert any("COCO" in note for note in by_hand.notes)

    path = path.rename(hub / "best.pth")  # now nothing says where it came from
    unknown = load_detector(path)
    assert {m.eps for m in unknown.model.modules() if isinstance(m, FrozenBatchNorm2d)} == {1e-5}
    assert any("norm_eps=0.0" in note for note in unknown.notes)
    off = (features(unknown.model)[0] - expected[0]).norm() / expected[0].norm()
    assert off > 0.05
    told = load_detector(path, norm_eps=0.0)
    assert all(map(torch.equal, features(told.model), expected))


def test_without_cache_and_network_one_sentence_names_file_and_folder(hub: Path) -> None:
    with pytest.raises(ValueError, match="cannot be downloaded") as caught:
        load_detector(MOBILE, weights="DEFAULT")
    assert MOBILE_FILE in str(caught.value)
    assert str(hub) in str(caught.value)
    assert list(hub.iterdir()) == []
    with pytest.raises(ValueError, match="cannot be downloaded"):
        build_pyramid(PyramidConfig(num_classes=2, body="resnet18"), pretrained_body=True)


def saved(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content", [b"", b"PK\3\4 half", b"<html>log in to this network</html>", saved({"a": torch.zeros(1)})]
)
def test_a_damaged_cache_is_named(hub: Path, content: bytes) -> None:
    (hub / MOBILE_FILE).write_bytes(content)
    with pytest.raises(ValueError, match="delete it") as caught:
        load_detector(MOBILE, weights="DEFAULT")
    assert str(hub / MOBILE_FILE) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_cache_with_code_in_it_does_not_run(hub: Path, tmp_path: Path) -> None:
    class Runs:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.mkdir, (tmp_path / "trap",)

    torch.save({"backbone": Runs()}, hub / MOBILE_FILE)
    with pytest.raises(ValueError, match="delete it"):
        load_detector(MOBILE, weights="DEFAULT")
    assert not (tmp_path / "trap").exists()


def test_a_pretrained_body_is_loaded_whole(hub: Path) -> None:
    from torchvision.models import resnet18

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        body = resnet18(weights=None).state_dict()
    torch.save(body, hub / "resnet18-f37072fd.pth")
    model: Any = build_pyramid(
        PyramidConfig(num_classes=2, body="resnet18", channels=8), pretrained_body=True
    )
    loaded = model.backbone.body.state_dict()
    assert loaded
    assert all(torch.equal(loaded[name], body[name]) for name in loaded)


def test_the_model_goes_where_it_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_checkpoint(path, pyramid(), categories=NAMES)
    detector = load_detector(path, device=torch.device("meta"))
    assert {parameter.device.type for parameter in detector.model.parameters()} == {"meta"}
    assert {parameter.device.type for parameter in load_detector(path).model.parameters()} == {"cpu"}
    assert CONFIG.num_classes == detector.num_classes


@pytest.mark.skipif(not Path(str(zoo._BUNDLED_FILE)).exists(), reason="made by `make weights`")
def test_the_file_that_is_bundled() -> None:
    detector = load_detector("shapes")
    assert (detector.name, detector.notes) == ("shapes", ())
    assert detector.num_classes >= 7
    with torch.no_grad():
        found = detector.model([image()])[0]
    assert set(found) == {"boxes", "labels", "scores"}
    assert Path(str(zoo._BUNDLED_FILE)).stat().st_size <= 8 * 2**20
