"""What single anchors cost a training step equals what torchvision's own loss averages."""

from __future__ import annotations

from functools import cache
from math import exp, log

import pytest
import torch
from support.models import random_image, random_truth, shared_detector

from detector import Trace, capture, recording
from detector.tracing.anchor_losses import anchor_terms, label_confusion, members_of, ranked, view_of
from detector.tracing.sampling import training_trace

# v2 has BatchNorm: its training forward sees other logits than inference does.
NAMES = ("pyramid_best_class", "fasterrcnn_resnet50_fpn_v2", "maskrcnn_resnet50_fpn")
SEEDS = (0, 1, 2)


@cache
def step_of(name: str, seed: int) -> Trace:
    detector = shared_detector(name)
    return training_trace(detector, capture(detector, random_image(seed), random_truth(seed)), seed)


def drawn(step: Trace) -> torch.Tensor:
    samples = view_of(step).anchors
    return torch.cat((samples.positives, samples.negatives))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_means_over_the_drawn_anchors_are_the_losses_of_the_forward(name: str, seed: int) -> None:
    step = step_of(name, seed)
    terms, losses = anchor_terms(step), view_of(step).losses
    assert float(terms.objectness[drawn(step)].mean()) == pytest.approx(losses.rpn_cls, rel=1e-5)
    assert float(terms.box[drawn(step)].mean()) == pytest.approx(losses.rpn_bbox, rel=1e-5)
    both = terms.of("sum")[drawn(step)].mean()
    assert float(both) == pytest.approx(losses.rpn_cls + losses.rpn_bbox, rel=1e-5)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_batch_of_two_images_is_averaged_over_the_anchors_of_both(seed: int) -> None:
    model = shared_detector("pyramid_per_class").model
    images = [random_image(seed), random_image(seed + 10, (128, 96))]
    targets = [random_truth(seed).as_target(), random_truth(seed + 10, (128, 96)).as_target()]
    with torch.random.fork_rng(), torch.no_grad(), recording(model) as recorder:
        torch.manual_seed(seed)
        model.train()
        try:
            losses = model(images, targets)
        finally:
            model.eval()
    terms = [anchor_terms(step) for step in recorder.traces]
    members = [drawn(step) for step in recorder.traces]
    for name, parts in (
        ("loss_objectness", [term.objectness[part] for term, part in zip(terms, members, strict=True)]),
        ("loss_rpn_box_reg", [term.box[part] for term, part in zip(terms, members, strict=True)]),
    ):
        assert float(torch.cat(parts).mean()) == pytest.approx(losses[name].item(), rel=1e-5)


@pytest.mark.parametrize("seed", SEEDS)
def test_each_term_is_the_cross_entropy_and_smooth_l1_of_its_anchor(seed: int) -> None:
    step = step_of("pyramid_best_class", seed)
    samples, terms = view_of(step).anchors, anchor_terms(step)
    assert bool((terms.objectness[samples.labels == -1] == 0).all())
    assert bool((terms.box[samples.labels != 1] == 0).all())
    for anchor in (*samples.positives.tolist(), *samples.negatives[:20].tolist()):
        probability = 1 / (1 + exp(-float(step.rpn.objectness[anchor].double())))
        positive = int(samples.labels[anchor]) == 1
        expected = -log(probability if positive else 1 - probability)
        assert float(terms.objectness[anchor]) == pytest.approx(expected, rel=1e-4, abs=1e-6)
        if positive:
            errors = (step.rpn.deltas[anchor] - samples.targets[anchor]).double().abs().tolist()
            parabola_or_line = [9 / 2 * e * e if e < 1 / 9 else e - 1 / 18 for e in errors]
            assert float(terms.box[anchor]) == pytest.approx(sum(parabola_or_line), rel=1e-4)


@pytest.mark.parametrize("loss", ["objectness", "box", "sum"])
@pytest.mark.parametrize("worst", [True, False])
@pytest.mark.parametrize("positive", [True, False])
def test_the_worst_come_first_and_the_best_last_or_the_reverse(
    loss: str, worst: bool, positive: bool
) -> None:
    step = step_of("pyramid_best_class", 0)
    terms = anchor_terms(step)
    members = members_of(view_of(step), positive=positive, drawn=True)
    found = ranked(terms, members, loss, worst=worst)
    assert sorted(found.tolist()) == sorted(members.tolist())
    values = terms.of(loss)[found].tolist()
    assert values == sorted(values, reverse=worst)


def test_all_of_a_label_hold_those_that_were_drawn() -> None:
    view = view_of(step_of("pyramid_best_class", 1))
    for positive in (True, False):
        every = set(members_of(view, positive=positive, drawn=False).tolist())
        assert set(members_of(view, positive=positive, drawn=True).tolist()) <= every
        assert {int(view.anchors.labels[index]) for index in every} == {int(positive)}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_confusion_counts_labels_against_scores_of_a_half(seed: int) -> None:
    step = step_of("maskrcnn_resnet50_fpn", seed)
    labels, scores = view_of(step).anchors.labels.tolist(), step.rpn.objectness.double().sigmoid().tolist()
    expected = [[0, 0], [0, 0]]
    for label, score in zip(labels, scores, strict=True):
        if label >= 0:
            expected[1 - label][0 if score >= 0.5 else 1] += 1
    assert label_confusion(step, torch.arange(len(labels))).tolist() == expected
    assert label_confusion(step, torch.zeros(0).long()).tolist() == [[0, 0], [0, 0]]


def test_a_trace_of_inference_has_no_losses_and_says_so() -> None:
    detector = shared_detector("pyramid_best_class")
    trace = capture(detector, random_image(0), random_truth(0))
    with pytest.raises(ValueError, match="expected a training trace"):
        anchor_terms(trace)
