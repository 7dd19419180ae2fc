"""From a badly chosen setting to the proof that its remedy helps, by the tool's own words: a script to repeat.

A pyramid detector is given anchors that are far too large for the scenes, and is trained. The doctor and the
waterfall of the data-set diagnosis name the rung where the objects are lost; the anchors that the diagnosis
recommends are put into the run's settings, nothing else is changed, and it is trained again from the same start.

Both runs start from the bundled detector's backbone, frozen as a pretrained backbone mostly is; RPN and Fast R-CNN
head start at random. The scenes of training, of the diagnosis that recommends, and of the final test are three
worlds that share no scene.

`python -m benchmarks.demonstration` writes the table as JSON and Markdown, and both waterfalls as pictures.
"""

from __future__ import annotations

import json
import logging
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from benchmarks.chromium import chromium
from benchmarks.measure import RESULTS
from detector import load_detector
from detector.data import ShapesDataset
from detector.judging.causes import LeadingCause, leading_causes
from detector.judging.dataset_diagnosis import DatasetDiagnosis, diagnose_dataset
from detector.judging.doctor import examine
from detector.judging.summary import AnchorFit, Group, Summary
from detector.models.checkpoints import save_checkpoint
from detector.training.config import DataConfig, ModelConfig, Recipe, RunConfig
from detector.training.fit import fit
from detector.training.run_directory import RunDirectory
from viz_app.figures.exports import chart_page
from viz_app.figures.waterfall import waterfall_figure

DOCS = Path(__file__).parents[1] / "docs"
BAD_ANCHORS = ((128.0, 160.0), (192.0, 256.0), (320.0, 448.0))
TRAIN, LOOKED_AT, HELD_OUT = "shapes:1600:1", "shapes:150:11", "shapes:300:7"
AVERAGES = ("AP", "AP50", "AP_small", "AP_medium", "AP_large")
_PICTURE = 980, 430
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stage:
    """One of the two trainings and what came of it.

    Args:
        config: its settings.
        diagnosis: of the held-out scenes.
        minutes: that the training took.
    """

    config: RunConfig
    diagnosis: DatasetDiagnosis
    minutes: float


def run(out: Path | None = None) -> None:
    """Do all of it in a folder, then print and write what came out."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = out or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        before, after, first = demonstrate(folder)
        gain = (after.diagnosis.summary.coco.AP or 0.0) - (before.diagnosis.summary.coco.AP or 0.0)
        table = _table(before, after, first)
        print(table)
        _write(before, after, first, gain, table)


def demonstrate(folder: Path) -> tuple[Stage, Stage, LeadingCause]:
    """Train with bad anchors, ask, follow the advice, train again.

    Args:
        folder: for runs and diagnoses.

    Returns:
        Both trainings, and what the tool names first about the first one.

    Raises:
        RuntimeError: it does not name the anchors.
    """
    start = _start(folder / "start.safetensors")
    config = RunConfig(
        model=ModelConfig(source=str(start), anchor_sizes=BAD_ANCHORS),
        data=DataConfig(train=TRAIN, val="shapes:40:5", batch_size=4),
        recipe=Recipe(lr=1.5e-3, warmup_steps=30, unfreeze_epoch=None),
        epochs=1,
        probes=0,
    )
    before = _train(config, folder / "before")
    fitted, first = _ask(folder / "before", folder / "asked")
    if first.name not in ("anchor_sizes", "anchors", "no_positive_anchor"):
        raise RuntimeError(f"named first was {first.name}, not the anchors: {first.message}")
    sizes, ratios = fitted.sizes, fitted.ratios
    after = _train(
        replace(config, model=replace(config.model, anchor_sizes=sizes, aspect_ratios=ratios)),
        folder / "after",
    )
    return before, after, first


def _start(path: Path) -> Path:
    """The bundled detector with all but its backbone at random."""
    detector = load_detector("shapes")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for part in (detector.model.rpn.head, detector.model.roi_heads):
            for module in part.modules():
                if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
                    module.reset_parameters()
    save_checkpoint(path, detector.model, categories=detector.categories)
    return path


def _train(config: RunConfig, folder: Path) -> Stage:
    began = time.monotonic()
    fit(config, folder)
    minutes = (time.monotonic() - began) / 60
    log.info("%s trained in %.1f minutes", folder.name, minutes)
    detector = load_detector(RunDirectory(folder).best)
    found = diagnose_dataset(
        detector, HELD_OUT, folder.with_name(f"{folder.name}_held_out"), remedies=False, recommend=False
    )
    return Stage(config, found, minutes)


def _ask(run: Path, out: Path) -> tuple[AnchorFit, LeadingCause]:
    """What the diagnosis recommends, and what doctor and diagnosis name first, on scenes of a third world."""
    detector = load_detector(RunDirectory(run).best)
    length, seed = map(int, LOOKED_AT.split(":")[1:])
    dataset = ShapesDataset(length, seed)
    found = diagnose_dataset(detector, dataset, out, remedies=False, recommend=False)
    causes = leading_causes(
        examine(dataset, detector),
        found.summary,
        objects=found.objects,
        false_positives=found.false_positives,
    )
    for cause in causes[:4]:
        log.info("named: %s %.2f %s %s", cause.name, cause.weight, cause.message, cause.remedy)
    assert found.summary.anchors is not None
    return found.summary.anchors, causes[0]


def _table(before: Stage, after: Stage, first: LeadingCause) -> str:
    """Markdown."""
    lines = [
        f"Named first: {first.message}. {first.remedy}",
        "",
        "| held-out scenes | anchors too large | recommended anchors |",
        "|---|---|---|",
        f"| anchor sizes, px | {_sizes(before)} | {_sizes(after)} |",
    ]
    summaries = [stage.diagnosis.summary for stage in (before, after)]
    for name in AVERAGES:
        left, right = (_number(getattr(summary.coco, name)) for summary in summaries)
        lines.append(f"| {name} | {left} | {right} |")
    lines.append(f"| objects found | {_share(summaries[0])} | {_share(summaries[1])} |")
    for place, fall in enumerate(summaries[0].waterfall):
        counts = fall.lost, summaries[1].waterfall[place].lost
        if any(counts):
            lines.append(f"| lost at {fall.rung} | {counts[0]} | {counts[1]} |")
    lines.append(f"| minutes of training | {before.minutes:.1f} | {after.minutes:.1f} |")
    return "\n".join(lines)


def _sizes(stage: Stage) -> str:
    levels = stage.config.model.anchor_sizes or ()
    return "; ".join("/".join(f"{size:g}" for size in level) for level in levels)


def _share(summary: Summary) -> str:
    return f"{summary.found} of {summary.objects}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _write(before: Stage, after: Stage, first: LeadingCause, gain: float, table: str) -> None:
    stages = {"before": before, "after": after}
    content = {
        "title": "demonstration: AP on held-out scenes with recommended anchors, less AP with bad ones",
        "gain": gain,
        "bar": 0.10,
        "named_first": asdict(first),
        **{
            name: {
                "anchor_sizes": stage.config.model.anchor_sizes,
                "coco": asdict(stage.diagnosis.summary.coco),
                "lost": {fall.rung: fall.lost for fall in stage.diagnosis.summary.waterfall},
                "minutes": stage.minutes,
            }
            for name, stage in stages.items()
        },
    }
    (RESULTS / "demonstration.json").write_text(json.dumps(content, indent=2) + "\n")
    _page(table, gain)
    for name, stage in stages.items():
        _picture(stage.diagnosis.summary, DOCS / "pictures" / f"demonstration_{name}.png")


def _page(table: str, gain: float) -> None:
    page = DOCS / "demonstration.md"
    text = page.read_text(encoding="utf-8")
    head, _, rest = text.partition("<!-- measured -->")
    _, _, tail = rest.partition("<!-- end -->")
    measured = f"<!-- measured -->\n\n{table}\n\nAP rose by {gain:.3f}.\n\n<!-- end -->"
    page.write_text(f"{head}{measured}{tail}", encoding="utf-8")


def _picture(summary: Summary, path: Path) -> None:
    figure = waterfall_figure(_everything(summary), height=_PICTURE[1] - 30)
    path.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, chromium(_PICTURE) as page:
        chart = Path(folder) / "chart.html"
        chart.write_bytes(chart_page(figure))
        page.goto(chart.as_uri())
        page.wait_for_selector(".main-svg")
        page.screenshot(path=path)


def _everything(summary: Summary) -> Group:
    return Group(summary.objects, summary.found, summary.waterfall)


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(message)s")
    log.setLevel(logging.INFO)
    run()
