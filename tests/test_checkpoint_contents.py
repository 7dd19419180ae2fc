"""Checkpoints with odd contents: refused in one sentence, or loaded as what they are; in shell and app, too."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from support.checkpoints import NAMES, assert_same_model, default_pyramid, pyramid, refusal
from torch import Tensor

from detector.models import checkpoint_reading
from detector.models.checkpoints import save_checkpoint
from detector.models.zoo import load_detector
from viz_app import cli, resources
from viz_app.detector_spec import DetectorSpec
from viz_app.scenes import digest

pytestmark = pytest.mark.usefixtures("fresh_caches")

FIRST = "backbone.body.conv1.weight"


def weights() -> dict[str, Tensor]:
    return dict(default_pyramid().state_dict())


def saved(path: Path, state: object) -> Path:
    torch.save(state, path)
    return path


@pytest.mark.filterwarnings("ignore:Validating sparse tensor")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.to("meta"), "not stored value by value"),
        (lambda t: t.to_sparse(), "not stored value by value"),
        (lambda t: torch.zeros(1).expand(2**40, 3, 7, 7), "not stored value by value"),
        (lambda t: (t * 10).to(torch.int8), "wrong type"),
        (lambda t: t.to(torch.complex64), "wrong type"),
        (lambda t: t > 0, "wrong type"),
        (lambda t: torch.full_like(t, 1e300, dtype=torch.float64), "NaN or infinite"),
        (lambda t: t.numpy().tolist(), "is a list, not a tensor"),
    ],
    ids=["meta", "sparse", "claims more than it holds", "int8", "complex", "bool", "too large", "list"],
)
def test_weights_that_are_none(tmp_path: Path, change: Any, words: str) -> None:
    sentence = refusal(saved(tmp_path / "x.pth", weights() | {FIRST: change(weights()[FIRST])}))
    assert FIRST in sentence and words in sentence


def test_eight_bit_floats_become_float32(tmp_path: Path) -> None:
    small = weights()[FIRST].to(torch.float8_e4m3fn)
    model = load_detector(saved(tmp_path / "x.pth", weights() | {FIRST: small})).model
    assert torch.equal(model.state_dict()[FIRST], small.float())


def test_a_file_that_was_saved_on_a_gpu_opens_without_one(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.pth", weights())
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data.replace(b"X\3\0\0\0cpu", b"X\6\0\0\0cuda:0"))
    assert b"cuda:0" in path.read_bytes()
    assert_same_model(load_detector(path).model, default_pyramid())


@pytest.mark.parametrize("outer", ["state_dict", "model"])
def test_a_state_dict_two_boxes_deep_is_not_guessed_at(tmp_path: Path, outer: str) -> None:
    sentence = refusal(saved(tmp_path / "x.pth", {outer: {"weights": weights()}}))
    assert "not those of a two-stage detector" in sentence and "'weights'" in sentence


@pytest.mark.parametrize("seed", range(4))
def test_one_flipped_byte_of_a_zip_is_refused(tmp_path: Path, seed: int) -> None:
    path = saved(tmp_path / "x.pth", weights())
    place = path.read_bytes().find(weights()[FIRST].numpy().tobytes())
    data = bytearray(path.read_bytes())
    data[place + 97 * seed] ^= 1 << seed
    path.write_bytes(data)
    assert "does not fit its checksum" in refusal(path)


def test_a_zip_without_checksums_is_read(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        path = saved(tmp_path / "x.pth", weights())
    finally:
        torch.serialization.set_crc32_options(True)
    assert_same_model(load_detector(path).model, default_pyramid())


def test_a_zip_of_a_version_that_there_is_not(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.pth", weights())
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\1\2") + 6] = 255  # the version needed to read the last entry
    path.write_bytes(data)
    assert "damaged or half-written" in refusal(path)


def test_one_flipped_byte_of_a_foreign_safetensors_file_cannot_be_told(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    safetensors.torch.save_file(weights(), path)
    data = bytearray(path.read_bytes())
    data[data.find(weights()[FIRST].numpy().tobytes())] ^= 1
    path.write_bytes(data)
    loaded = load_detector(path).model.state_dict()[FIRST]
    assert int((loaded != weights()[FIRST]).sum()) == 1


def header_of(data: bytes) -> tuple[dict[str, Any], bytes]:
    end = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:end]), data[end:]


def with_header(text: bytes, tensors: bytes) -> bytes:
    return len(text).to_bytes(8, "little") + text + tensors


def test_a_safetensors_header_that_names_a_tensor_twice(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_checkpoint(path, pyramid(), categories=NAMES)
    header, tensors = header_of(path.read_bytes())
    (first, place), (_, other) = [item for item in header.items() if item[0] != "__metadata__"][:2]
    for again, loads in ((place, True), (other, False)):
        twice = json.dumps(header)[:-1] + f", {json.dumps(first)}: {json.dumps(again)}}}"
        path.write_bytes(with_header(twice.encode(), tensors))
        if loads:
            assert_same_model(load_detector(path).model, pyramid())
        else:
            assert "damaged" in refusal(path)


@pytest.mark.parametrize("length", [2**31, 2**62])
def test_a_header_of_two_gigabytes_is_not_looked_for(tmp_path: Path, length: int) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(length.to_bytes(8, "little") + b'{"a":' + bytes(100))
    assert "damaged" in refusal(path)


def test_a_file_replaced_while_it_is_loaded_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.safetensors"
    save_checkpoint(path, pyramid(), categories=NAMES)
    read = checkpoint_reading.read_plain

    def then_replaced(path: Path, **limits: Any) -> bytes:
        data = read(path, **limits)
        path.write_bytes(b"something else altogether")
        return data

    monkeypatch.setattr(checkpoint_reading, "read_plain", then_replaced)
    assert_same_model(load_detector(path).model, pyramid())
    assert "not a checkpoint" in refusal(path)


def bad_checkpoints() -> dict[str, tuple[bytes, str]]:
    """Name -> (bytes, words of the sentence)."""
    zipped, ours = io.BytesIO(), safetensors.torch.save(weights())
    torch.save(weights() | {"extra": torch.zeros(1)}, zipped)
    nan = weights() | {FIRST: torch.full((64, 3, 7, 7), float("nan"))}
    missing = {name: tensor for name, tensor in weights().items() if name != FIRST}
    return {
        "empty.pth": (b"", "empty"),
        "page.pth": (b"<html>not found</html>", "not a checkpoint"),
        "half.safetensors": (ours[: len(ours) // 2], "damaged"),
        "extra.pth": (zipped.getvalue(), "1 tensor is too many"),
        "missing.safetensors": (safetensors.torch.save(missing), "1 tensor is missing"),
        "nan.safetensors": (safetensors.torch.save(nan), "NaN or infinite"),
    }


@pytest.mark.parametrize("name", bad_checkpoints())
def test_shell_and_app_name_a_bad_checkpoint(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, words = bad_checkpoints()[name]
    path = tmp_path / name
    path.write_bytes(data)
    assert cli.run(["show", "scene_00", "--model", str(path), "--out", str(tmp_path / "x.png")]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    assert said.err.startswith(f"boxscope: {path}: ") and words in said.err
    assert [one.name for one in tmp_path.iterdir()] == [name]
    with pytest.raises(ValueError, match=rf"^{name}: .*{words}") as caught:
        resources.detector(DetectorSpec(name, data=data, sha256=digest(data)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["../../up.pth", "nul\0byte.pth", "🦄.pth", "x" * 300, "/etc/passwd", ".."])
def test_the_name_of_an_uploaded_checkpoint_is_only_a_name(name: str) -> None:
    data = safetensors.torch.save(weights())
    assert_same_model(
        resources.detector(DetectorSpec(name, data=data, sha256=digest(data))).model, default_pyramid()
    )
    with pytest.raises(ValueError, match="not a checkpoint") as caught:
        resources.detector(DetectorSpec(name, data=b"nothing", sha256="0"))
    assert str(caught.value).startswith(f"{name}: ")
