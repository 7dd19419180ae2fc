"""Slim traces: small, and still enough to replay and to diagnose."""

from pathlib import Path

import pytest
import torch
from support.models import random_image, random_truth, shared_detector

from detector import Replayer, Trace, capture, diagnose
from detector.training.kept_traces import keep_traces, kept_images, kept_trace, numbered, slim
from detector.training.probe_reading import probe_epochs, probe_folder

NAME = "pyramid_per_class"


@pytest.fixture(scope="module")
def whole() -> Trace:
    return capture(shared_detector(NAME), random_image(3), random_truth(3))


def test_a_slim_trace_is_small_and_says_the_same_of_every_object(whole: Trace, tmp_path: Path) -> None:
    keep_traces(tmp_path / "slim", [slim(whole)])
    whole.save(tmp_path / "whole.trace", features=True)
    found = kept_trace(tmp_path / "slim", 0)
    size = (tmp_path / "slim" / "image_0.trace").stat().st_size
    assert size < 0.5 * (tmp_path / "whole.trace").stat().st_size
    assert found.input.tensor.shape == whole.input.tensor.shape
    truth = whole.ground_truth
    assert truth is not None
    ours, theirs = (diagnose(Replayer(trace), truth) for trace in (found, whole))
    assert [verdict.rung for verdict in ours.verdicts] == [verdict.rung for verdict in theirs.verdicts]
    lower = whole.thresholds.replace(box_score=0.01)
    assert torch.equal(Replayer(found).replay(lower).boxes, Replayer(whole).replay(lower).boxes)
    assert torch.equal(found.rpn.objectness, whole.rpn.objectness)
    assert found.head.embedding is not None
    assert whole.head.embedding is not None
    torch.testing.assert_close(found.head.embedding, whole.head.embedding, atol=1e-3, rtol=1e-3)


def test_slimming_leaves_the_trace_itself_alone(whole: Trace) -> None:
    before = whole.input.tensor.shape
    assert slim(whole, embedding=False).head.embedding is None
    assert whole.input.tensor.shape == before
    assert whole.head.embedding is not None


def test_a_folder_is_complete_or_as_it_was(whole: Trace, tmp_path: Path) -> None:
    def broken():  # noqa: ANN202
        yield slim(whole)
        raise OSError(28, "No space left on device")

    folder = tmp_path / "probes" / "epoch_0002"
    with pytest.raises(OSError, match="No space left"):
        keep_traces(folder, broken())
    assert list(folder.parent.iterdir()) == []
    keep_traces(folder, [slim(whole)] * 2)
    with pytest.raises(OSError, match="No space left"):
        keep_traces(folder, broken())
    assert kept_images(folder) == [0, 1]
    keep_traces(folder, [slim(whole)])
    assert kept_images(folder) == [0]
    assert [entry.name for entry in folder.parent.iterdir()] == ["epoch_0002"]


def test_epochs_are_read_from_the_names_of_their_folders(tmp_path: Path) -> None:
    assert probe_epochs(tmp_path) == []
    for epoch in (12, -1, 3):
        probe_folder(tmp_path, epoch).mkdir(parents=True)
    (tmp_path / "probes" / ".epoch_0004.tmp").mkdir()
    (tmp_path / "probes" / "epoch_x").mkdir()
    assert probe_epochs(tmp_path) == [-1, 3, 12]
    assert numbered(tmp_path / "probes", "epoch_") == [3, 12]
    assert kept_images(tmp_path / "nowhere") == []
