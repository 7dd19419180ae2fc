"""The training x-ray: a step that is listened to is the step it would have been."""

from pathlib import Path

import pytest
import torch
from support.pyramids import TINY, seeded, targets
from torch import Tensor

from detector import Detector
from detector.training.sampled_batches import BatchRecorder, object_samples, sampled_batch, sampled_steps

IMAGES = [torch.rand((3, 64, 64), generator=torch.Generator().manual_seed(seed)) for seed in (1, 2, 3)]
# The second image has no objects.
TARGETS = [targets(4, 64)[0], {"boxes": torch.zeros((0, 4)), "labels": torch.zeros(0, dtype=torch.int64)},
           targets(5, 64)[1]]  # fmt: skip


def trained(folder: Path | None) -> tuple[dict[str, Tensor], list[Tensor]]:
    """Losses and gradients of one step, listened to where there is a folder."""
    model = seeded(TINY, 3).train()
    recorder = None if folder is None else BatchRecorder(folder, Detector.wrap(model))
    with torch.random.fork_rng():
        torch.manual_seed(11)
        if recorder is not None:
            recorder.begin(["a.png", "b.png", "c.png"])
        losses = model(IMAGES, TARGETS)
        sum(losses.values()).backward()
        if recorder is not None:
            recorder.end(40)
    hooks = [module for module in model.modules() if module._forward_hooks or module._forward_pre_hooks]
    assert hooks == []
    assert type(model.rpn.fg_bg_sampler).__name__ == "BalancedPositiveNegativeSampler"
    return losses, [value.grad for value in model.parameters() if value.grad is not None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    plain, heard = trained(None), trained(folder)
    assert all(torch.equal(plain[0][name], heard[0][name]) for name in plain[0])
    assert len(plain[1]) == len(heard[1])
    assert all(torch.equal(one, other) for one, other in zip(plain[1], heard[1], strict=True))
    return folder


def test_listening_changes_no_bit_and_keeps_each_image(folder: Path) -> None:
    assert sampled_steps(folder) == [40]
    batch = sampled_batch(folder, 40)
    assert [trace.input.name for trace in batch.images] == ["a.png", "b.png", "c.png"]
    for trace, image, target in zip(batch.images, IMAGES, TARGETS, strict=True):
        assert torch.equal(trace.input.pixels, (image * 255).round().to(torch.uint8))
        assert trace.ground_truth is not None
        assert torch.equal(trace.ground_truth.boxes, target["boxes"])
        assert trace.mode == "training"


def test_what_an_object_was_given_is_counted_as_a_slow_loop_counts_it(folder: Path) -> None:
    seen = 0
    for trace in sampled_batch(folder, 40).images:
        view, truth, samples = trace.training, trace.ground_truth, object_samples(trace)
        assert view is not None
        assert truth is not None
        for index in range(len(truth)):
            drawn = [k for k in view.anchors.positives.tolist() if int(view.anchors.matched[k]) == index]
            labelled = [k for k, match in enumerate(view.anchors.matched.tolist()) if match == index]
            rois = [
                k
                for k, match in enumerate(view.rois.matched.tolist())
                if match == index and not bool(view.rois.is_object[k])
            ]
            assert int(samples.drawn_anchors[index]) == len(drawn)
            assert int(samples.positive_anchors[index]) == len(labelled)
            assert int(samples.drawn_rois[index]) == len(rois)
            assert (index in samples.without_anchor.tolist()) == (not drawn)
            assert (index in samples.without_roi.tolist()) == (not rois)
            seen += 1
    assert seen == 10


def test_a_step_that_failed_leaves_no_hooks_and_no_file(tmp_path: Path) -> None:
    model = seeded(TINY, 3).train()
    recorder = BatchRecorder(tmp_path, Detector.wrap(model))
    recorder.begin(["a"])
    with pytest.raises(AssertionError, match="targets should not be none"):
        model(IMAGES[:1], None)
    recorder.forget()
    assert not any(module._forward_hooks for module in model.modules())
    recorder.end(3)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])  # the first is what CUDA gets by itself
def test_a_step_in_mixed_precision_can_be_listened_to(kind: torch.dtype, tmp_path: Path) -> None:
    model = seeded(TINY, 3).train()
    recorder = BatchRecorder(tmp_path, Detector.wrap(model))
    recorder.begin(["a.png"])
    with torch.autocast("cpu", dtype=kind):
        model(IMAGES[:1], TARGETS[:1])
    recorder.end(1)
    (trace,) = sampled_batch(tmp_path, 1).images
    assert len(object_samples(trace).drawn_anchors) == 5


def test_a_trace_of_no_training_step_has_no_samples(folder: Path) -> None:
    from detector import capture

    trace = capture(Detector.wrap(seeded(TINY)), IMAGES[0])
    with pytest.raises(ValueError, match="not traced in a training step"):
        object_samples(trace)
