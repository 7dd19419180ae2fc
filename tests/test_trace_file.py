"""A trace survives the way to disk and back, and nothing else passes for one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from support.models import random_image, random_truth, shared_detector

from detector import Replayer, Trace, capture, recording
from detector.models.checkpoints import save_checkpoint
from detector.tracing.sampling import training_trace


@pytest.fixture(scope="module")
def trace() -> Trace:
    return capture(shared_detector("pyramid_best_class"), random_image(), random_truth())


def equal(first: object, second: object, *, atol: float = 0.0) -> bool:
    if isinstance(first, torch.Tensor) and isinstance(second, torch.Tensor):
        return first.shape == second.shape and torch.allclose(
            first.double(), second.double(), atol=atol, rtol=1e-3 if atol else 0
        )
    if dataclasses.is_dataclass(first):
        return all(
            equal(getattr(first, f.name), getattr(second, f.name), atol=atol)
            for f in dataclasses.fields(first)
        )
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(
            equal(first[name], second[name], atol=atol) for name in first
        )
    return first == second


def test_everything_that_replays_comes_back_bit_for_bit(trace: Trace, tmp_path: Path) -> None:
    trace.save(tmp_path / "a.trace")
    loaded = Trace.load(tmp_path / "a.trace")
    for name in (
        "input",
        "rpn",
        "detections",
        "thresholds",
        "rules",
        "categories",
        "ground_truth",
        "faithful",
    ):
        assert equal(getattr(trace, name), getattr(loaded, name)), name
    assert equal(Replayer(trace).replay().boxes, Replayer(loaded).replay().boxes)
    assert torch.equal(Replayer(loaded).replay().boxes, trace.detections.boxes)
    assert not loaded.backbone.exact


def test_maps_come_back_in_half_precision_or_not_at_all(trace: Trace, tmp_path: Path) -> None:
    trace.save(tmp_path / "full.trace")
    trace.save(tmp_path / "small.trace", features=False)
    full, small = Trace.load(tmp_path / "full.trace"), Trace.load(tmp_path / "small.trace")
    assert equal(dict(trace.backbone.pyramid), dict(full.backbone.pyramid), atol=1e-3)
    assert full.head.features is not None and full.head.features.dtype == torch.float32
    assert small.backbone.pyramid == {} and small.head.features is None
    sizes = [(tmp_path / name).stat().st_size for name in ("full.trace", "small.trace")]
    assert sizes[1] < sizes[0] / 2


@pytest.mark.parametrize("features", [True, False])
def test_new_rois_of_a_loaded_trace_are_looked_at_on_exact_maps(
    trace: Trace, tmp_path: Path, features: bool
) -> None:
    trace.save(tmp_path / "a.trace", features=features)
    detector = shared_detector("pyramid_best_class")
    changed = trace.thresholds.replace(rpn_nms=0.9, rpn_post_nms_top_n=400, box_score=0.01)
    expected = Replayer(trace, detector).replay(changed)
    found = Replayer(Trace.load(tmp_path / "a.trace"), detector).replay(changed)
    assert torch.equal(expected.labels, found.labels)
    torch.testing.assert_close(expected.boxes, found.boxes, atol=1e-3, rtol=0)


def test_a_training_trace_keeps_its_samples(trace: Trace, tmp_path: Path) -> None:
    step = training_trace(shared_detector("pyramid_best_class"), trace, seed=4)
    step.save(tmp_path / "step.trace")
    assert equal(step.training, Trace.load(tmp_path / "step.trace").training)


def test_large_values_are_not_turned_into_infinity(trace: Trace, tmp_path: Path) -> None:
    loud = dataclasses.replace(trace.backbone, pyramid={"0": torch.tensor([[[1e6]]])})
    dataclasses.replace(trace, backbone=loud).save(tmp_path / "loud.trace")
    assert Trace.load(tmp_path / "loud.trace").backbone.pyramid["0"].item() == 1e6


def test_damaged_and_foreign_files_give_one_sentence(trace: Trace, tmp_path: Path) -> None:
    good = tmp_path / "good.trace"
    trace.save(good)
    data = good.read_bytes()
    flipped = bytearray(data)
    flipped[-1000] ^= 1
    cases = {
        "truncated": data[: len(data) // 2],
        "flipped": bytes(flipped),
        "empty": b"",
        "text": b"not a trace at all",
        "version": data.replace(b'"boxscope":"1"', b'"boxscope":"9"'),
    }
    for name, content in cases.items():
        path = tmp_path / f"{name}.trace"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"{name}.trace") as caught:
            Trace.load(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=r"missing\.trace"):
        Trace.load(tmp_path / "missing.trace")
    detector = shared_detector("pyramid_best_class")
    save_checkpoint(tmp_path / "model.safetensors", detector.model, categories=detector.categories)
    with pytest.raises(ValueError, match="not a trace"):
        Trace.load(tmp_path / "model.safetensors")


def test_a_folder_that_is_not_there_is_named_and_nothing_is_half_written(
    trace: Trace, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="no folder"):
        trace.save(tmp_path / "nowhere" / "a.trace")
    assert list(tmp_path.iterdir()) == []


def test_recorded_traces_save_too(tmp_path: Path) -> None:
    detector = shared_detector("pyramid_per_class")
    with recording(detector) as recorder, torch.no_grad():
        detector.model([random_image(1), random_image(2)])
    recorder.traces[1].save(tmp_path / "step_100.trace")
    assert Trace.load(tmp_path / "step_100.trace").image_index == 1
