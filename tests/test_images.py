"""Reading images: every form and every colour mode gives the same pixels."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.images import chunk, encoded, picture, png
from torchvision import tv_tensors
from torchvision.transforms import functional as reference

from detector.data.image_decoding import FORMATS
from detector.data.images import ImageSource, read_image

LOSSLESS = ("PNG", "BMP", "TIFF", "PPM")


@pytest.mark.parametrize("seed", range(3))
def test_every_form_gives_the_same_image(tmp_path: Path, seed: int) -> None:
    array = picture(seed)
    path = tmp_path / "photo.png"
    Image.fromarray(array).save(path)
    expected = reference.pil_to_tensor(Image.fromarray(array))
    forms: list[ImageSource] = [
        path, str(path), path.read_bytes(), Image.fromarray(array), Image.open(path), array, expected.clone(),
        array[:, ::-1][:, ::-1], np.asfortranarray(array), tv_tensors.Image(expected),
    ]  # fmt: skip
    images = [read_image(form) for form in forms]
    for image in images:
        assert image.pixels.dtype == torch.uint8
        assert torch.equal(image.pixels, expected)
        assert torch.equal(image.tensor, reference.convert_image_dtype(expected, torch.float32))
        assert image.size == (7, 11)
    assert len({image.sha256 for image in images}) == 1
    assert [image.name for image in images[:3]] == ["photo.png", "photo.png", "image"]


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_formats_keep_every_pixel(kind: str) -> None:
    array = picture(4)
    assert np.array_equal(read_image(encoded(Image.fromarray(array), kind)).pixels.permute(1, 2, 0), array)


@pytest.mark.parametrize("kind", FORMATS)
def test_every_listed_format_opens(kind: str) -> None:
    flat = Image.new("RGB", (20, 12), (200, 40, 90))
    pixels = read_image(encoded(flat, kind)).pixels.to(torch.int32)
    assert pixels.shape == (3, 12, 20)
    assert (pixels - torch.tensor([200, 40, 90]).view(3, 1, 1)).abs().max() <= 8


def test_a_float_tensor_goes_to_the_model_untouched() -> None:
    tensor = torch.rand(3, 5, 6, generator=torch.Generator().manual_seed(1), requires_grad=True)
    image = read_image(tensor, name="mine")
    assert image.tensor is tensor
    assert image.name == "mine"
    assert torch.equal(image.pixels, (tensor.detach() * 255).round().to(torch.uint8))


def test_the_copy_for_display_is_never_shared() -> None:
    array, tensor = picture(), torch.zeros(3, 4, 4, dtype=torch.uint8)
    from_array, from_tensor = read_image(array), read_image(tensor)
    array[:], tensor[:] = 7, 7
    assert not (from_array.pixels == 7).all()
    assert not from_tensor.pixels.any()


def test_the_digest_tells_shape_and_type_apart() -> None:
    flat = np.zeros((4, 6, 3), dtype=np.uint8)
    digests = [
        read_image(flat).sha256,
        read_image(flat.reshape(6, 4, 3)).sha256,
        read_image(torch.zeros(3, 4, 6)).sha256,
        read_image(flat + 1).sha256,
    ]
    assert len(set(digests)) == 4
    assert all(len(digest) == 64 for digest in digests)


def test_grey_of_every_kind() -> None:
    grey = picture(2, channels=1)
    expected = torch.from_numpy(grey[:, :, 0]).expand(3, -1, -1)
    for source in (
        grey,
        grey[:, :, 0],
        Image.fromarray(grey[:, :, 0]),
        encoded(Image.fromarray(grey[:, :, 0])),
    ):
        assert torch.equal(read_image(source).pixels, expected)
    bits = Image.fromarray(grey[:, :, 0] > 127)
    assert torch.equal(read_image(encoded(bits)).pixels, torch.where(expected > 127, 255, 0).to(torch.uint8))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "array", "image"])
def test_transparency_is_laid_over_white(kind: str) -> None:
    rgba = picture(3, channels=4)
    alpha = rgba[:, :, 3:].astype(float) / 255
    expected = rgba[:, :, :3] * alpha + 255 * (1 - alpha)
    image = Image.fromarray(rgba)
    source = {"array": rgba, "image": image}.get(kind)
    if source is None:
        source = encoded(image, kind, **({"lossless": True, "exact": True} if kind == "WEBP" else {}))
    assert np.abs(read_image(source).pixels.permute(1, 2, 0).numpy() - expected).max() <= 1


def test_grey_with_alpha() -> None:
    image = Image.merge("LA", (Image.new("L", (2, 1), 100), Image.fromarray(np.array([[255, 0]], np.uint8))))
    assert read_image(encoded(image)).pixels[:, 0].T.tolist() == [[100] * 3, [255] * 3]


@pytest.mark.parametrize("transparency", [1, bytes([255, 0])])
def test_palette_with_transparency(transparency: int | bytes) -> None:
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    image.putpalette([10, 20, 30, 200, 100, 50])
    assert read_image(encoded(image)).pixels[:, 0].T.tolist() == [[10, 20, 30], [200, 100, 50]]
    transparent = encoded(image, transparency=transparency)
    assert read_image(transparent).pixels[:, 0].T.tolist() == [[10, 20, 30], [255, 255, 255]]


def test_one_transparent_colour() -> None:
    data = encoded(Image.fromarray(np.array([[[9, 8, 7], [1, 2, 3]]], np.uint8)), transparency=(9, 8, 7))
    assert read_image(data).pixels[:, 0].T.tolist() == [[255] * 3, [1, 2, 3]]


def test_cmyk() -> None:
    cmyk = Image.merge("CMYK", [Image.new("L", (8, 8), value) for value in (0, 255, 255, 0)])
    for kind in ("JPEG", "TIFF"):
        assert (read_image(encoded(cmyk, kind)).pixels[:, 4, 4] - torch.tensor([255, 0, 0])).abs().max() <= 3


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_and_not_clipped(kind: str) -> None:
    values = np.linspace(0, 65535, 77).round().astype(np.uint16).reshape(7, 11)
    grey = read_image(encoded(Image.fromarray(values), kind)).pixels
    assert np.array_equal(grey[0], (values / 257.0).round())
    assert torch.equal(grey[0], grey[2])


def test_sixteen_bits_in_other_modes() -> None:
    values = np.array([[0, 256, 30000, 65535]])
    expected = [0, 1, 117, 255]
    for mode, dtype in (("I", np.int32), ("I;16", "<u2"), ("I;16B", ">u2")):
        image = Image.frombytes(mode, (4, 1), values.astype(dtype).tobytes())
        assert read_image(image).pixels[0, 0].tolist() == expected
    maxval = b"P5\n4 1\n65535\n" + values.astype(">u2").tobytes()
    assert read_image(maxval).pixels[0, 0].tolist() == expected


def test_sixteen_bit_colour_and_transparent_grey() -> None:
    rows = b"\0" + struct.pack(">6H", 0, 65535, 32896, 257, 514, 60000)
    colour = read_image(png(2, 1, rows, depth=16)).pixels[:, 0].T.to(torch.int32)
    assert (colour - torch.tensor([[0, 255, 128], [1, 2, 233]])).abs().max() <= 1
    grey = png(
        2,
        1,
        b"\0" + struct.pack(">2H", 700, 65535),
        chunk(b"tRNS", struct.pack(">H", 700)),
        depth=16,
        colour=0,
    )
    assert read_image(grey).pixels[0, 0].tolist() == [255, 255]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_an_animation_gives_its_first_frame(kind: str) -> None:
    frames = [Image.new("RGB", (6, 4), colour) for colour in ((250, 0, 0), (0, 250, 0))]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert Image.open(io.BytesIO(data)).n_frames == 2  # type: ignore[attr-defined]
    assert read_image(data).pixels[:, 2, 3].tolist() == [250, 0, 0]
