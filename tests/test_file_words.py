"""Words for a checkpoint, from what people type and upload; and which of them a sentence of the loader asks for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from support.checkpoints import MOBILE, mobile, refusal

from detector.models.zoo import load_detector
from viz_app.sidebar.file_words import (
    FileWords,
    anchor_sizes_from_text,
    asked_for,
    aspect_ratios_from_text,
    categories_from_file,
    categories_from_text,
)


def test_the_loaders_own_sentences_name_what_they_ask_for(tmp_path: Path) -> None:
    path = tmp_path / "best_of=all.pth"
    torch.save(mobile().state_dict(), path)
    assert asked_for(refusal(path)) == {"architecture"}
    assert asked_for(refusal(path, architecture=MOBILE, aspect_ratios=(1.0,))) == {
        "anchor_sizes",
        "aspect_ratios",
    }
    notes = load_detector(path, architecture=MOBILE, min_size=64, max_size=96).notes
    assert asked_for(" ".join(notes)) == {"categories"}
    assert asked_for("x.pth: there is no such file (a=1, path=2)") == frozenset()


def test_only_what_was_said_goes_to_the_loader() -> None:
    assert FileWords().said() == {}
    words = FileWords(("a", "b"), anchor_sizes=((8.0,), (16.0,)), min_size=64, norm_eps=0.0)
    assert words.said() == {
        "categories": ("a", "b"), "anchor_sizes": ((8.0,), (16.0,)), "min_size": 64, "norm_eps": 0.0,
    }  # fmt: skip
    with pytest.raises(ValueError, match="shorter side is 100 and the longer one 99"):
        FileWords(min_size=100, max_size=99)


@pytest.mark.parametrize("text", ["disc,star, ring", "disc\nstar\nring\n", " disc ,\r\n star\n\nring,"])
def test_names_in_text(text: str) -> None:
    assert categories_from_text(text) == ("disc", "star", "ring")
    assert categories_from_file("names.txt", text.encode("utf-8-sig")) == ("disc", "star", "ring")


def test_names_in_json() -> None:
    def read(content: object) -> tuple[str, ...]:
        return categories_from_file("names.JSON", json.dumps(content).encode())

    assert read(["disc", "star, big"]) == ("disc", "star, big")
    named = [{"id": 3, "name": "ring"}, {"id": 1, "name": "disc"}]
    assert read({"images": [], "categories": named}) == ("disc", "category 2", "ring")
    assert read({"categories": [{"id": 0, "name": "background"}, *named]})[:2] == ("background", "disc")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("n.txt", b""), ("n.txt", b" ,\n"), ("n.txt", b"\xff\xfe\x00"), ("n.json", b"{"), ("n.json", b"[1, 2]"),
        ("n.json", b"[]"), ("n.json", b'{"categories": []}'), ("n.json", b'{"categories": [{"id": 1}]}'),
        ("n.json", b'{"categories": [{"id": 99999999, "name": "a"}]}'), ("n.json", b'{"names": ["a"]}'),
        ("n.json", b'{"categories": [{"id": -1, "name": "a"}]}'), ("n.json", b'["a", " "]'), ("n.json", b"7"),
        ("n.json", b'{"categories": [{"id": 1, "name": null}]}'), ("n.json", b'{"categories": 5}'),
    ],
)  # fmt: skip
def test_a_file_without_names_is_named_itself(name: str, data: bytes) -> None:
    with pytest.raises(ValueError, match=rf"^{name}: ") as caught:
        categories_from_file(name, data)
    assert "\n" not in str(caught.value)


def test_sizes_and_ratios() -> None:
    assert anchor_sizes_from_text("32; 64,96 ;128") == ((32.0,), (64.0, 96.0), (128.0,))
    assert anchor_sizes_from_text("8\n16\n40") == ((8.0,), (16.0,), (40.0,))
    assert anchor_sizes_from_text("  ") == ()
    assert aspect_ratios_from_text("0.5, 1 2") == (0.5, 1.0, 2.0)
    assert aspect_ratios_from_text("") == ()
    for text in ("big", "32; 0", "-4", "nan", "1e999", "32 px"):
        with pytest.raises(ValueError, match=r"was given; anchor sizes are numbers"):
            anchor_sizes_from_text(text)
        with pytest.raises(ValueError, match=r"was given; aspect ratios are height / width"):
            aspect_ratios_from_text(text)
