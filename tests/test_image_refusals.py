"""Image files that are refused, each with one sentence, and odd ones that are read all the same."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image, ImageFile
from support.images import bad_images, claiming, encoded, picture, pixels_of, png, refusal

from detector.data.image_decoding import FORMATS, MAX_PIXELS
from detector.data.images import read_image
from viz_app import cli

BAD = bad_images()


@pytest.mark.parametrize("name", BAD)
def test_a_bad_image_is_one_sentence(name: str, tmp_path: Path) -> None:
    path, words = tmp_path / name, BAD[name][1]
    path.write_bytes(BAD[name][0])
    for sentence in (refusal(path), refusal(BAD[name][0])):
        assert words in sentence and ";" in sentence
    assert refusal(path).startswith(f"{path}: ")


@pytest.mark.parametrize("name", BAD)
def test_the_command_names_a_bad_image(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / name
    path.write_bytes(BAD[name][0])
    for arguments in (["show", str(path), "--out", str(tmp_path / "out.png")], ["why", str(path)]):
        assert cli.run(arguments) == 2
        said = capsys.readouterr()
        assert said.out == "" and said.err.count("\n") == 1
        assert said.err.startswith(f"boxscope: {path}: ") and BAD[name][1] in said.err
    assert [one.name for one in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_truncated_files(kind: str, share: float) -> None:
    data = encoded(Image.fromarray(picture(1, 64, 64)), kind)
    sentence = refusal(data[: int(len(data) * share)])
    assert sentence.startswith("image: ")
    assert ";" in sentence


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


@pytest.mark.parametrize("kind", FORMATS)
def test_nothing_is_decoded_of_sixty_megapixels(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[object] = []
    load = ImageFile.ImageFile.load

    def counted(image: ImageFile.ImageFile) -> object:
        decoded.append(image)
        return load(image)

    monkeypatch.setattr(ImageFile.ImageFile, "load", counted)
    small, tall = (claiming(kind, *size) for size in ((11, 7), (10_000, 6_000)))
    assert len(tall) < 3000
    assert read_image(small).size == (7, 11) and decoded
    decoded.clear()
    assert "10000 x 6000 is over 50 megapixels" in refusal(tall)
    assert decoded == []


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
def test_thin_images_are_read(size: tuple[int, int]) -> None:
    assert read_image(encoded(Image.new("RGB", size))).size == size[::-1]


def test_odd_names_are_only_names(tmp_path: Path) -> None:
    path = tmp_path / "🦄 <b>.png"
    Image.new("RGB", (3, 2)).save(path)
    assert read_image(path).name == "🦄 <b>.png"


def test_a_jpeg_that_is_also_html_is_a_jpeg() -> None:
    data = encoded(Image.new("RGB", (8, 8), "red"), "JPEG", comment=b"<html><script>alert(1)</script></html>")
    assert pixels_of(data)[4, 4, 0] > 240


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
