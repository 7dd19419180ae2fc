"""Reading images: every form, every colour mode, every orientation, and every refusal as one sentence."""

from __future__ import annotations

import io
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torchvision import tv_tensors
from torchvision.transforms import functional as reference

from detector.data.image_decoding import FORMATS, MAX_PIXELS
from detector.data.images import ImageSource, read_image

LOSSLESS = ("PNG", "BMP", "TIFF", "PPM")


def picture(seed: int = 0, height: int = 7, width: int = 11, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    width: int, height: int, rows: bytes, *extra: bytes, depth: int = 8, colour: int = 2, interlaced: int = 0
) -> bytes:
    """A PNG written by hand, so that it can lie."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))
    body = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + body


def refusal(source: ImageSource) -> str:
    """The one sentence with which a source is refused."""
    with pytest.raises(ValueError) as caught:
        read_image(source)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


# ---- the same picture in every form


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


# ---- colour modes


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


# ---- orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_all_eight_orientations(kind: str, orientation: int) -> None:
    # The stored picture is turned away by hand; upright, its top left quarter is red and its top right green.
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :16, 0], upright[:8, 16:, 1] = 255, 255
    turn_away = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.transpose(1, 0, 2), 6: np.rot90(upright, 1), 7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(turn_away[orientation]))
    data = encoded(stored, kind, exif=exif)
    with Image.open(io.BytesIO(data)) as opened:
        assert np.array_equal(np.array(ImageOps.exif_transpose(opened).convert("RGB")), pixels_of(data))
    assert pixels_of(data)[2, 2, 0] > 200
    assert pixels_of(data)[2, 29, 1] > 200
    assert pixels_of(data)[13, 2].max() < 60


def pixels_of(source: ImageSource) -> np.ndarray:
    return read_image(source).pixels.permute(1, 2, 0).numpy()


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\x7f", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"]
)
def test_corrupt_exif_costs_only_the_orientation(exif: bytes) -> None:
    assert pixels_of(encoded(Image.new("RGB", (8, 6), "red"), "JPEG", exif=exif)).shape == (6, 8, 3)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_ignored(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert pixels_of(encoded(Image.new("RGB", (8, 6)), "JPEG", exif=exif)).shape == (6, 8, 3)


# ---- refusals


def test_files_that_are_no_image(tmp_path: Path) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("not a picture")
    assert refusal(text).startswith(str(text))
    assert "known format" in refusal(text)
    assert "empty" in refusal(b"")
    for foreign in ("EPS", "PDF", "TGA", "ICO", "SGI"):
        assert "known format" in refusal(encoded(Image.new("RGB", (16, 16)), foreign)), foreign
    fits = b"SIMPLE  =                    T".ljust(80) + b"END".ljust(80)
    assert "known format" in refusal(fits.ljust(2880))


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "TIFF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_truncated_files(kind: str, share: float) -> None:
    data = encoded(Image.fromarray(picture(1, 64, 64)), kind)
    sentence = refusal(data[: int(len(data) * share)])
    assert sentence.startswith("image: ")
    assert ";" in sentence


def test_a_png_whose_data_chunk_is_short() -> None:
    row = bytes(3 * 40 + 1)
    for rows in (0, 2, 39):
        assert "last row" in refusal(png(40, 40, row * rows)), rows
    assert "last row" in refusal(png(40, 40, (row * 40)[:-1]))
    assert pixels_of(png(40, 40, row * 40)).shape == (40, 40, 3)


@pytest.mark.parametrize("seed", range(12))
def test_whole_pngs_of_every_layout_are_whole(seed: int) -> None:
    draw = np.random.default_rng(seed)
    width, height = (int(side) for side in draw.integers(1, 40, 2))
    colour, depths = ((0, (1, 2, 4, 8, 16)), (2, (8, 16)), (4, (8, 16)), (6, (8, 16)))[seed % 4]
    depth = int(draw.choice(depths))
    bits = depth * {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    rows = (b"\0" + bytes(math.ceil(width * bits / 8))) * height
    assert pixels_of(png(width, height, rows, depth=depth, colour=colour)).shape == (height, width, 3)
    assert "last row" in refusal(png(width, height, rows[:-1], depth=depth, colour=colour))


@pytest.mark.parametrize("seed", range(12))
def test_interlaced_pngs(seed: int) -> None:
    # Adam7 by brute force: the pass of each pixel from the eight by eight pattern of the specification.
    pattern = ["16462646", "77777777", "56565656", "77777777", "36463646", "77777777", "56565656", "77777777"]
    width, height = (int(side) for side in np.random.default_rng(seed).integers(1, 20, 2))
    data = b""
    for number in "1234567":
        for y in range(height):
            count = sum(pattern[y % 8][x % 8] == number for x in range(width))
            data += (b"\0" + bytes(3 * count)) if count else b""
    assert pixels_of(png(width, height, data, interlaced=1)).shape == (height, width, 3)
    assert "last row" in refusal(png(width, height, data[:-1], interlaced=1))


def test_a_png_whose_chunk_lies_about_its_length() -> None:
    data = bytearray(encoded(Image.fromarray(picture())))
    place = data.index(b"IDAT") - 4
    data[place : place + 4] = struct.pack(">I", 5)
    assert "damaged" in refusal(bytes(data))


def test_a_png_with_a_huge_text_chunk() -> None:
    bomb = chunk(b"zTXt", b"comment\0\0" + zlib.compress(bytes(80_000_000)))
    assert "damaged" in refusal(png(1, 1, bytes(4), bomb))


@pytest.mark.filterwarnings("always")
@pytest.mark.parametrize(
    ("width", "height"),
    [(10_000, 6_000), (9_000, 10_000), (100_000, 1_000), (60_000, 60_000), (1, MAX_PIXELS + 1)],
)
def test_too_many_pixels_are_refused_from_the_header(
    width: int, height: int, recwarn: pytest.WarningsRecorder
) -> None:
    assert "50 megapixels" in refusal(png(width, height, b""))  # nothing to decode: the header alone decides
    assert not list(recwarn), "Pillow has a limit of its own, and warns of it"
    Image.open(io.BytesIO(png(9_000, 10_000, b"")))
    assert [warning.category for warning in recwarn] == [Image.DecompressionBombWarning]


def test_too_many_pixels_in_memory() -> None:
    row = np.zeros((1, 1, 3), np.uint8)
    assert "50 megapixels" in refusal(np.broadcast_to(row, (10_000, 6_000, 3)))
    assert "50 megapixels" in refusal(torch.zeros(3, 1, 1).expand(3, 10_000, 6_000))


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
def test_thin_images_are_read(size: tuple[int, int]) -> None:
    assert read_image(encoded(Image.new("RGB", size))).size == size[::-1]


def test_images_without_pixels() -> None:
    for source in (Image.new("RGB", (0, 5)), np.zeros((0, 5, 3), np.uint8), torch.zeros(3, 5, 0)):
        assert "no pixels" in refusal(source)


def test_paths_that_lead_nowhere(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "missing.png")
    assert "not a file" in refusal(tmp_path)
    for name in ("nul\0byte.png", "x" * 300 + ".png", "../../../no/such.png", "🦄.png"):
        assert name[:20] in refusal(name)


def test_odd_names_are_only_names(tmp_path: Path) -> None:
    path = tmp_path / "🦄 <b>.png"
    Image.new("RGB", (3, 2)).save(path)
    assert read_image(path).name == "🦄 <b>.png"


def test_a_jpeg_that_is_also_html_is_a_jpeg() -> None:
    data = encoded(Image.new("RGB", (8, 8), "red"), "JPEG", comment=b"<html><script>alert(1)</script></html>")
    assert pixels_of(data)[4, 4, 0] > 240


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.01, 1.01, 255.0])
@pytest.mark.parametrize("seed", range(2))
def test_tensors_with_one_bad_value(value: float, seed: int) -> None:
    tensor = torch.rand(3, 6, 5, generator=torch.Generator().manual_seed(seed))
    tensor.view(-1)[17 * seed] = value
    assert "0 to 1" in refusal(tensor)


def test_zero_and_one_are_in_range() -> None:
    assert read_image(torch.tensor([0.0, 1.0, 0.5]).view(3, 1, 1)).pixels.flatten().tolist() == [0, 255, 128]


def test_shapes_and_types_that_do_not_fit() -> None:
    bad_arrays = [
        np.zeros(shape, np.uint8) for shape in ((4, 4, 2), (4, 4, 5), (3, 4, 5), (4,), (1, 4, 4, 3))
    ]
    for array in bad_arrays:
        assert "[H, W, 3]" in refusal(array)
    bad_tensors = [torch.zeros(shape) for shape in ((1, 4, 4), (4, 4, 4), (4, 4, 3), (4, 4), (1, 3, 4, 4))]
    for tensor in bad_tensors:
        assert "[3, H, W]" in refusal(tensor)
    assert "float64" in refusal(np.zeros((4, 4, 3)))
    assert "float64" in refusal(torch.zeros(3, 4, 4, dtype=torch.float64))
    assert "float16" in refusal(torch.zeros(3, 4, 4, dtype=torch.float16))
    assert "floating-point" in refusal(Image.new("F", (3, 3)))
    assert "32-bit" in refusal(Image.new("I", (3, 3), 70_000))
    with pytest.raises(TypeError, match="NoneType"):
        read_image(None)  # type: ignore[arg-type]


def test_a_damaged_pil_image_is_refused_too() -> None:
    data = encoded(Image.fromarray(picture(1, 64, 64)))
    assert "damaged" in refusal(Image.open(io.BytesIO(data[: len(data) // 2])))


def test_pillow_is_left_as_it_was() -> None:
    from PIL import ImageFile, PngImagePlugin

    def state() -> tuple[object, ...]:
        return (
            Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, PngImagePlugin.MAX_TEXT_CHUNK,
            sorted(Image.OPEN), list(Image.ID),
        )  # fmt: skip

    Image.init()
    before = state()
    read_image(encoded(Image.fromarray(picture())))
    refusal(png(20_000, 5_000, b""))
    refusal(b"nothing")
    assert state() == before
