"""The subcommands that look at one image: `boxscope show` and `boxscope trace`; their options serve `why`, too.

Only names are imported at the top: torch and plotly come when a subcommand runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from viz_app.commands.models import HELP, find_model

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

    from detector.data.ground_truth import GroundTruth
    from detector.models.detector import Detector
    from detector.tracing.replay import Replay, Replayer
    from detector.tracing.thresholds import Thresholds

STAGES = ("rpn", "fast_rcnn", "full")
TRACE = ".trace"
KNOBS: dict[str, tuple[type, str]] = {
    "rpn_pre_nms_top_n": (int, "candidates kept per pyramid level before the RPN's NMS"),
    "rpn_post_nms_top_n": (int, "proposals kept per image"),
    "rpn_nms": (float, "IoU over which the RPN's NMS suppresses, 0 to 1"),
    "rpn_score": (float, "objectness that a proposal must reach, 0 to 1"),
    "box_score": (float, "class probability that a detection must exceed, 0 to 1"),
    "box_nms": (float, "IoU over which the NMS of a category suppresses, 0 to 1"),
    "box_limit": (int, "detections kept per image"),
}
"""Type and meaning of each field of `Thresholds`, known without importing torch."""


def show_options(parser: ArgumentParser) -> None:
    """Options of `boxscope show`."""
    image_options(parser, "image file, name of a bundled scene such as scene_00, or a .trace file")
    parser.add_argument("--stage", choices=STAGES, default="full", help="what to look at; full by default")
    parser.add_argument("--out", type=str, required=True, metavar="FILE", help="file to write, .png or .html")
    threshold_options(parser)


def show(options: Namespace) -> int:
    """Draw one stage of one image into a file."""
    from viz_app.show import STAGES as VIEWS
    from viz_app.show import check_target

    target = check_target(options.out)
    print(VIEWS[options.stage](chosen_replay(options)[1]).save(target))
    return 0


def trace_options(parser: ArgumentParser) -> None:
    """Options of `boxscope trace`."""
    image_options(parser, "image file, or name of a bundled scene such as scene_00")
    parser.add_argument("--out", type=str, required=True, metavar="FILE", help="file to write, FILE.trace")
    parser.add_argument(
        "--no_features", action="store_true", help="leave the feature maps out: a file of a tenth of the size"
    )


def trace(options: Namespace) -> int:
    """Capture one image into a trace file, which the app opens without the model."""
    target = Path(options.out)
    if target.suffix.lower() != TRACE:
        raise ValueError(f"{target}: a trace file ends in {TRACE}")
    if not target.parent.is_dir():
        raise ValueError(f"{target}: there is no folder {target.parent}")
    if target.is_dir():
        raise ValueError(f"{target} is a folder; name a file to write")
    if Path(options.image).suffix.lower() == TRACE:
        raise ValueError(f"{options.image} is a trace already; give an image")
    captured = _replayer(options).trace
    try:
        captured.save(target, features=not options.no_features)
    except OSError as problem:  # it names a file beside the target, which it writes first
        raise ValueError(f"{target} cannot be written ({problem.strerror or problem})") from problem
    print(target)
    return 0


def chosen_replay(options: Namespace) -> tuple[Replayer, Replay]:
    """The image of `image_options` under the thresholds of `threshold_options`.

    Raises:
        ValueError: a threshold that cannot be (before the model is loaded), or that a trace cannot replay.
    """
    from viz_app.recorded import replay_as_recorded

    changes = {name: options[name] for name in KNOBS if options[name] is not None}
    _thresholds().replace(**changes)
    replayer = _replayer(options)
    replay, problem = replay_as_recorded(replayer, replayer.trace.thresholds.replace(**changes))
    if problem:
        raise ValueError(f"{options.image}: {problem}; give the image instead of its trace")
    return replayer, replay


def threshold_options(parser: ArgumentParser) -> None:
    """An option for each threshold of both filters."""
    for name, (kind, meaning) in KNOBS.items():
        parser.add_argument(
            f"--{name}", type=kind, default=None, help=f"{meaning}; the model's own by default"
        )


def image_options(parser: ArgumentParser, help_of_image: str) -> None:
    """The image, the model, and where the objects are annotated."""
    parser.add_argument("image", type=str, metavar="IMAGE", help=help_of_image)
    parser.add_argument(
        "--model",
        type=str,
        default=None,
        help=HELP,
    )
    parser.add_argument(
        "--weights", type=str, default=None, help="of a torchvision name, or `random`; DEFAULT if left out"
    )
    parser.add_argument(
        "--target",
        type=str,
        default=None,
        metavar="FILE",
        help="COCO annotations (JSON) that name the image, for ground truth; a bundled scene brings its own",
    )


def _thresholds() -> Thresholds:
    from detector.tracing.thresholds import Thresholds

    return Thresholds()


def _replayer(options: Namespace) -> Replayer:
    """What was captured, or what the trace file holds."""
    from detector import Replayer, Trace, capture
    from detector.data.images import read_image

    if Path(options.image).suffix.lower() == TRACE:
        for name, held in (("target", "the objects"), ("model", "what the model computed"), ("weights", "")):
            if options[name] is not None:
                raise ValueError(f"--{name} goes with an image; a trace holds {held or 'what they computed'}")
        return Replayer(Trace.load(options.image))
    path = _image_path(options.image)
    image = read_image(path)  # before a model is loaded for nothing
    detector = named_detector(options.model or "shapes", options.weights)
    return Replayer(capture(detector, image, _truth(path, options.target, detector)), detector)


def _image_path(name: str) -> Path:
    """The file of that name, else the bundled scene; raises ValueError where it can be neither."""
    from viz_app.bundled import sample_images_folder

    path = Path(name)
    if path.exists() or path.name != name:
        return path
    bundled = sample_images_folder() / (name if path.suffix else f"{name}.png")
    if not bundled.is_file() and not path.suffix:
        scenes = sorted(scene.stem for scene in sample_images_folder().glob("*.png"))
        raise ValueError(
            f"there is no file {name}, and no bundled scene; these are {scenes[0]} to {scenes[-1]}"
        )
    return bundled if bundled.is_file() else path


def named_detector(model: str, weights: str | None) -> Detector:
    """The detector of `--model` and `--weights`; raises ValueError as `find_model` and `load_detector`."""
    from viz_app.loading import load_named

    source = find_model(model).source
    return load_named(source, weights_of(source, weights))


def weights_of(model: str, weights: str | None) -> str | None:
    """What `--weights` means: torchvision's own where nothing is said, None for random ones."""
    from detector.models.families import TORCHVISION_NAMES

    if model not in TORCHVISION_NAMES:
        return weights
    return None if weights == "random" else weights or "DEFAULT"


def _truth(image: Path, target: str | None, detector: Detector) -> GroundTruth | None:
    """The objects of the image under the detector's categories; None where nothing is known of it.

    Raises:
        ValueError: annotations that do not name the image, or name a category that the detector lacks.
    """
    from viz_app.bundled import sample_images_folder
    from viz_app.scenes import annotations_of

    bundled = target is None and image.resolve().parent == sample_images_folder().resolve()
    if target is None and not bundled:
        return None
    known = annotations_of(sample_images_folder() if target is None else Path(target), image)
    truth = known.known_to(detector)
    if truth is None and not bundled:
        missing = sorted(
            {known.categories[label] for label in known.truth.labels.tolist()} - set(detector.categories)
        )
        raise ValueError(f"{target}: {detector.name} knows no category {', '.join(map(repr, missing))}")
    return truth
