"""Uploads of every kind at once: what is an image is shown, what is none is named, and the app goes on."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest
from support.app import calm, counts, move, open_app, said
from support.images import bad_images, encoded

pytestmark = pytest.mark.usefixtures("fresh_caches")

PAYLOAD = b"<html><script>alert(1)</script></html>"
NAMES = (
    "../../up.png",
    "nul\0byte.png",
    "🦄 <b>bold</b>.png",
    "x" * 300 + ".png",
    "[a](http://b.example).png",
)


def plain(number: int) -> bytes:
    return encoded(Image.new("RGB", (64, 48), (5 * number, 90, 200)))


def polyglot() -> bytes:
    """A JPEG that is also a web page."""
    return encoded(Image.new("RGB", (64, 48), "red"), "JPEG", comment=PAYLOAD)


def upload(app: AppTest, files: list[tuple[str, bytes]]) -> AppTest:
    app.file_uploader(key="uploads").set_value([(name, data, "image/png") for name, data in files])
    return calm(app.run())


def sent(app: AppTest) -> bytes:
    """What the browser gets for the canvas."""
    return b"".join(element.proto.bytes for element in app.get("bidi_component"))


def test_fifty_files_at_once_and_one_of_them_twice() -> None:
    bad = [(name, data) for name, (data, _) in bad_images().items()]
    odd = [(name, plain(number)) for number, name in enumerate(NAMES)]
    good = [(f"photo_{number}.png", plain(10 + number)) for number in range(49 - len(bad) - len(odd))]
    app = open_app()
    before = app.sidebar.selectbox(key="image").options
    upload(app, [("page.jpg", polyglot()), *bad, *odd, *good])
    for name, (_, words) in bad_images().items():
        assert f"{name}: " in said(app) and words in said(app)
    assert len(app.error) == len(bad)
    offered = app.sidebar.selectbox(key="image").options
    assert offered == [*before, "page.jpg", *NAMES, *(name for name, _ in good)]
    assert counts(app)["image"] == "64 × 48", "the first of them is shown"
    canvas = sent(app)
    assert PAYLOAD in polyglot() and PAYLOAD not in canvas, "encoded anew"
    with Image.open(io.BytesIO(canvas[canvas.index(b"\xff\xd8\xff") :])) as image:
        assert image.format == "JPEG" and np.array(image.convert("RGB"))[20, 20, 0] > 200
    assert counts(move(app, box_score=0.9))["detections"] == "0", "and the app goes on"
    upload(app, [("a.png", plain(0)), ("b.png", plain(0)), ("c.png", plain(1))])
    assert app.sidebar.selectbox(key="image").options == [*before, "b.png", "c.png"]
    assert said(app) == ""


def test_a_name_of_an_image_is_only_text() -> None:
    app = open_app("why")
    for number, name in enumerate(NAMES):
        upload(app, [(name, plain(number))])
        assert said(app) == "" and counts(app)["image"] == "64 × 48"
        texts = [text.value for text in (*app.markdown, *app.caption, *app.title, *app.header)]
        assert not any("<b>" in text or "](http" in text for text in texts)
