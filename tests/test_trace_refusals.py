"""Trace files that are none, are damaged or lie: one sentence in Python, in the shell and in the app."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from support.models import random_image, random_truth, shared_detector

from detector import Replayer, Trace, capture, load_detector, recording
from detector.data import ShapesDataset
from detector.data.sealed import Sealed, read_sealed, write_sealed
from detector.models.checkpoints import save_checkpoint
from detector.tracing import trace_file
from detector.tracing.filters import filter_detections
from detector.tracing.trace_file import MAX_BYTES, parse_trace
from viz_app import cli

NAME = "pyramid_best_class"


@pytest.fixture(scope="module")
def trace() -> Trace:
    return capture(shared_detector(NAME), random_image(), random_truth())


@pytest.fixture(scope="module")
def data(trace: Trace, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("traces") / "good.trace"
    trace.save(path, features=False)
    return path.read_bytes()


def refusal(data: bytes) -> str:
    with pytest.raises(ValueError) as caught:
        parse_trace(data, "a.trace")
    sentence = str(caught.value)
    assert sentence.startswith("a.trace: ") and "\n" not in sentence
    return sentence


def bad_traces(data: bytes, folder: Path) -> dict[str, tuple[bytes, str]]:
    """Name -> (bytes, words of the sentence)."""
    detector = shared_detector(NAME)
    save_checkpoint(folder / "model", detector.model, categories=detector.categories)
    flipped = bytearray(data)
    flipped[-1000] ^= 1
    found = {
        "empty": (b"", "not a safetensors file"),
        "text": (b"not a trace at all", "not a safetensors file"),
        "photo": (b"\x89PNG\r\n\x1a\n" + bytes(99), "not a safetensors file"),
        "checkpoint": ((folder / "model").read_bytes(), "not a trace but a checkpoint"),
        "version": (data.replace(b'"boxscope":"1"', b'"boxscope":"9"'), "version is '9'"),
        "edited": (data.replace(b'"faithful', b'"faithfux', 1).replace(b"faithful", b"faithfux"), "SHA-256"),
        "flipped": (bytes(flipped), "SHA-256"),
        "half": (data[: len(data) // 2], "damaged or half-written"),
        "header": ((2**31).to_bytes(8, "little") + data[8:], "damaged or half-written"),
    }
    (folder / "model").unlink()
    return {f"{name}.trace": case for name, case in found.items()}


def test_bad_traces_are_one_sentence_everywhere(
    data: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, (content, words) in bad_traces(data, tmp_path).items():
        assert words in refusal(content), name
        path = tmp_path / name
        path.write_bytes(content)
        for arguments in (["show", str(path), "--out", str(tmp_path / "x.png")], ["why", str(path)]):
            assert cli.run(arguments) == 2, name
            said = capsys.readouterr()
            assert said.out == "" and said.err.count("\n") == 1
            assert said.err.startswith(f"boxscope: {path}: ") and words in said.err
        path.unlink()
    assert list(tmp_path.iterdir()) == []


def test_two_gigabytes_are_not_read(data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "huge.trace"
    path.write_bytes(data)
    with path.open("r+b") as file:
        file.truncate(2**31)  # it takes no room
    monkeypatch.setattr(trace_file, "parse_trace", lambda *_: pytest.fail("it was read"))
    with pytest.raises(
        ValueError, match=r"huge\.trace: the file has 2\.15 GB, over 2 GB; save it without"
    ) as caught:
        Trace.load(path)
    assert "--no_features" in str(caught.value)


def test_what_could_not_be_opened_is_not_written(trace: Trace, tmp_path: Path) -> None:
    masks = torch.zeros(1).expand(MAX_BYTES // 4_000_000, 1, 1000, 1000)  # takes no room either
    huge = dataclasses.replace(trace, detections=dataclasses.replace(trace.detections, masks=masks))
    with pytest.raises(ValueError, match=r"x\.trace: the trace would have 2\.0 GB"):
        huge.save(tmp_path / "x.trace", features=False)
    assert list(tmp_path.iterdir()) == []


def resealed(
    sealed: Sealed, path: Path, document: dict[str, Any] | None = None, **tensors: torch.Tensor
) -> bytes:
    """The same trace with other contents and a checksum that fits them."""
    text = sealed.entries["trace"] if document is None else json.dumps(document)
    write_sealed(path, "trace", {**sealed.tensors, **tensors}, {"trace": text})
    return path.read_bytes()


LIES: dict[str, tuple[tuple[str, ...], Any, str]] = {
    "no stage": (("rpn",), None, "lacks something"),
    "a record that there is not": (("rules", "record"), "os.system", "lacks something"),
    "a field that there is not": (("rules", "fields", "evil"), 1, "lacks something"),
    "rules that are none": (("rules",), None, "no FilterRules"),
    "rules without numbers": (("rules", "fields", "delta_clip"), "x", "not numbers"),
    "two weights of a box coder": (("rules", "fields", "box_weights"), {"tuple": [1.0, 2.0]}, "four numbers"),
    "thresholds out of range": (("thresholds", "fields", "box_score"), 7.0, "box_score is 7.0"),
    "an image without size": (("input", "fields", "image_size"), {"tuple": [0, 0]}, "whole numbers of 1 or more"),
    "a level of -3 rows": (("rpn", "fields", "grid"), {"tuple": [{"tuple": [-3, 1, 1]}]}, "whole numbers"),
    "names that are numbers": (("categories",), {"tuple": [1, 2]}, "not text"),
    "one category": (("categories",), {"tuple": ["background"]}, "too few"),
    "another number of categories": (("categories",), {"tuple": ["background", "a"]}, "head.class_logits"),
    "a tensor that there is not": (("rpn", "fields", "deltas"), {"tensor": "gone"}, "lacks something"),
    "a number for a tensor": (("head", "fields", "level"), 3, "not a tensor"),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_a_document_that_lies_under_a_checksum_that_fits(lie: str, data: bytes, tmp_path: Path) -> None:
    where, value, words = LIES[lie]
    sealed = read_sealed(data)
    document = json.loads(sealed.entries["trace"])
    place = document
    for key in where[:-1]:
        place = place[key]
    place[where[-1]] = value
    assert words in refusal(resealed(sealed, tmp_path / "x", document))


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("rpn.anchors", lambda t: t * float("nan"), "rpn.anchors hold NaN"),
        ("rpn.deltas", lambda t: t.double(), "do not belong together"),
        ("head.class_logits", lambda t: t.long(), "of the type torch.int64"),
        ("head.level", lambda t: t + 10, "a level that there is not"),
        ("detections.labels", lambda t: t + 1000, "names a category"),
        ("detections.roi", lambda t: t + 10**9, "names a RoI"),
        ("detections.scores", lambda t: t[:-1], "detections.scores has shape"),
        ("detections.boxes", lambda t: t[:, :3], "detections.boxes has shape"),
        ("ground_truth.boxes", lambda t: t * float("nan"), "is not finite"),
        ("ground_truth.labels", lambda t: t + 1000, "names a category"),
    ],
)
def test_a_tensor_that_does_not_belong(
    name: str, change: Any, words: str, data: bytes, tmp_path: Path
) -> None:
    sealed = read_sealed(data)
    assert words in refusal(resealed(sealed, tmp_path / "x", **{name: change(sealed.tensors[name])}))


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_a_trace_in_half_precision_is_read(kind: torch.dtype, data: bytes, tmp_path: Path) -> None:
    """As a training in mixed precision keeps it; the boxes of its second stage may have 32 bits all the same."""
    sealed = read_sealed(data)
    names = ("rpn.anchors", "rpn.objectness", "rpn.deltas", "head.class_logits", "head.deltas")
    half = {name: sealed.tensors[name].to(kind) for name in names}
    loaded = parse_trace(resealed(sealed, tmp_path / "x", **half), "x")
    assert torch.equal(loaded.rpn.objectness, half["rpn.objectness"])


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_half_precision_cannot_be_filtered_anew_on_a_cpu(kind: torch.dtype, trace: Trace) -> None:
    scores = trace.head.class_logits.softmax(-1)
    boxes = trace.head.boxes[:, None].expand(-1, scores.shape[1], -1)
    thresholds = trace.thresholds.replace(box_score=0.0)
    assert len(filter_detections(boxes, scores, thresholds, trace.rules).kept)
    with pytest.raises(ValueError, match="half precision cannot be filtered anew on a CPU"):
        filter_detections(boxes.to(kind), scores.to(kind), thresholds, trace.rules)


def test_what_was_recorded_in_mixed_precision_is_read(tmp_path: Path) -> None:
    """Replayed afterwards, sums of 16 bits round otherwise, and RoIs come up that the capture did not see."""
    detector = load_detector("shapes")
    image = ShapesDataset(1, seed=3, size=128)[0][0] / 255
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.float16), recording(detector.model) as recorder:
        detector.model([image])
    recorder.traces[0].save(tmp_path / "a.trace")
    loaded = Trace.load(tmp_path / "a.trace")
    assert torch.equal(loaded.detections.boxes, recorder.traces[0].detections.boxes)


def test_tensors_that_nothing_names_are_left_out(trace: Trace, data: bytes, tmp_path: Path) -> None:
    loaded = parse_trace(resealed(read_sealed(data), tmp_path / "x", extra=torch.zeros(5)), "x")
    assert torch.equal(Replayer(loaded).replay().boxes, trace.detections.boxes)


@pytest.mark.parametrize(
    ("name", "stage"), [("rpn.deltas", "anchor deltas"), ("detections.boxes", "detections")]
)
def test_nan_in_a_trace_is_told_whatever_the_file_says(
    name: str, stage: str, data: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sealed, path = read_sealed(data), tmp_path / "x.trace"
    values = sealed.tensors[name].clone()
    values[0] = float("nan")
    changed = resealed(sealed, path, **{name: values})
    assert parse_trace(data, "x").non_finite == ()
    assert parse_trace(changed, "x").non_finite == (stage,)
    assert cli.run(["why", str(path)]) == 0
    assert f"NaN or infinite values come up in: {stage}" in capsys.readouterr().err


def test_a_trace_of_another_architecture_needs_no_model_and_takes_none(
    trace: Trace, data: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.trace"
    path.write_bytes(data)
    assert torch.equal(Replayer(Trace.load(path)).replay().boxes, trace.detections.boxes)
    assert cli.run(["why", str(path)]) == 0
    capsys.readouterr()
    assert cli.run(["why", str(path), "--model", "shapes"]) == 2
    assert "--model goes with an image; a trace holds what the model computed" in capsys.readouterr().err
    assert cli.run(["why", str(path), "--rpn_nms", "1"]) == 2
    assert capsys.readouterr().err.endswith("give the image instead of its trace\n")
