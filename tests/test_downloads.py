"""Downloading torchvision's weights: told as they come, whole or not at all, one sentence where it fails."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from support.published import MOBILE, published, published_bytes, small_coco_state

from detector.models.downloads import amount_in_words
from detector.models.zoo import download, load_detector


def never(came: int, total: int | None) -> None:
    raise AssertionError(f"nothing was to be downloaded, but {came} of {total} bytes came")


@pytest.mark.parametrize("says_length", [True, False])
def test_progress_goes_up_to_the_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says_length: bool
) -> None:
    content, told = published_bytes(), []
    with published(monkeypatch, tmp_path, content, says_length=says_length) as cached:
        download(MOBILE, progress=lambda came, total: told.append((came, total)))
        assert cached.read_bytes() == content
        assert [path.name for path in cached.parent.iterdir()] == [cached.name]
        download(MOBILE, progress=never)
    came = [pair[0] for pair in told]
    assert len(told) > 3
    assert came == sorted(set(came))
    assert came[-1] == len(content)
    assert {pair[1] for pair in told} == {len(content) if says_length else None}


def test_a_downloaded_detector_is_the_published_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state, told = small_coco_state(), []
    with published(monkeypatch, tmp_path, published_bytes(state)):
        detector = load_detector(
            MOBILE, weights="DEFAULT", progress=lambda came, total: told.append((came, total))
        )
        load_detector(MOBILE, weights="DEFAULT", progress=never)
    assert told[-1][0] == told[-1][1]
    loaded = detector.model.state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in state.items())
    assert detector.categories[1] == "person"


def test_a_file_that_is_not_whole_or_another_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = published_bytes()
    with published(monkeypatch, tmp_path, content, claims=2 * len(content)) as cached:
        with pytest.raises(ValueError, match=r"small-\w+\.pth broke off after 1\.6 of 3\.2 MB \(50%\); try"):
            download(MOBILE)
        assert list(cached.parent.iterdir()) == []
    with published(monkeypatch, tmp_path, b"<html>log in</html>", name="small-0123abcd.pth") as cached:
        with pytest.raises(ValueError, match=r"what came as small-0123abcd\.pth is another file .*log in"):
            download(MOBILE)
        assert list(cached.parent.iterdir()) == []


def test_who_listens_may_end_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def enough(came: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with published(monkeypatch, tmp_path, published_bytes()) as cached:
        with pytest.raises(KeyboardInterrupt):
            download(MOBILE, progress=enough)
        assert list(cached.parent.iterdir()) == []


def test_amounts() -> None:
    assert amount_in_words(0, 77_800_000) == "0.0 of 77.8 MB (0%)"
    assert amount_in_words(77_799_999, 77_800_000) == "77.8 of 77.8 MB (99%)"
    assert amount_in_words(77_800_000, 77_800_000) == "77.8 of 77.8 MB (100%)"
    assert amount_in_words(1_250_000, None) == "1.2 MB"
