"""What the Train panel asks for, as widgets, and the settings of a run that they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import streamlit as st

from detector.training.config import PYRAMID_FROM_SCRATCH, RunConfig
from detector.training.config_file import config_of
from viz_app import state
from viz_app.chosen_augmentation import data_augmentation
from viz_app.jobs.readable import named_source
from viz_app.sidebar.file_words import anchor_sizes_from_text, aspect_ratios_from_text
from viz_app.sidebar.training_fields import BASICS, HEAD, LAMBDAS, RECORD, STEPS, Field

if TYPE_CHECKING:
    from detector.data.augmentation import Augmentation

Values = dict[str, Any]
_KEY = "train.{}"
_BODIES = ("small", "resnet18", "resnet34", "resnet50")
_DEVICES = {"auto": "the best there is", "cpu": "CPU", "gpu": "GPU"}
_MONITORS = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large", "recall/RPN_LIMIT", "recall/ROI_BOX")
# Weights that are good already must not be shaken; a new backbone is trained from the start, at the full rate.
_BY_START = {
    "tuned": {"recipe.lr": 1e-4},
    "scratch": {"recipe.unfreeze_epoch": 0, "recipe.backbone_lr_factor": 1.0},
}


def config_from(values: Mapping[str, Any]) -> RunConfig:
    """The settings of a run: the defaults, but for some by dotted key.

    Raises:
        ValueError: a value that cannot be; names its key.
    """
    content = asdict(RunConfig())
    for key, value in values.items():
        place, *names = content, *key.split(".")
        for name in names[:-1]:
            place = place[name]
        place[names[-1]] = value
    return config_of(content)


def model_fields(scratch: bool) -> Values:
    """Anchors and what a pyramid's head samples; of a new pyramid its body, too."""
    values: Values = {}
    if scratch:
        body = st.segmented_control(
            "Body", _BODIES, default="small", required=True, key=_KEY.format("body"), persist_state="session",
            help="The backbone's size. `small` trains on a CPU within minutes. All begin with random weights.",
        )  # fmt: skip
        values["model.source"] = PYRAMID_FROM_SCRATCH
        values["model.pyramid"] = pyramid_settings(str(body))
    sizes = st.text_input(
        "Anchor sizes, px", key=_KEY.format("anchors"), persist_state="session", placeholder="the model's own",
        help="Sides in network pixels, a semicolon after each level, finest first: 12, 20; 32, 48; 72, 112. "
        "The Data page lays them over the objects; the Doctor recommends better ones.",
    )  # fmt: skip
    ratios = st.text_input(
        "Anchor ratios", key=_KEY.format("ratios"), persist_state="session", placeholder="the model's own",
        help="Height / width, the same on every level, such as 0.5, 1, 2.",
    )  # fmt: skip
    values |= numbers(HEAD)
    if sizes.strip():
        values["model.anchor_sizes"] = anchor_sizes_from_text(sizes)
    if ratios.strip():
        values["model.aspect_ratios"] = aspect_ratios_from_text(ratios)
    return values


def fill_anchors(sizes: Sequence[Sequence[float]], ratios: Sequence[float]) -> None:
    """Put anchors into the fields; in a callback."""
    levels = "; ".join(", ".join(f"{size:.4g}" for size in level) for level in sizes)
    state.set_widget(_KEY.format("anchors"), levels)
    state.set_widget(_KEY.format("ratios"), ", ".join(f"{ratio:.3g}" for ratio in ratios))


def pyramid_settings(body: str) -> Values:
    """Settings of a new pyramid: those of the bundled detector for the small body, which a CPU can train."""
    if body != "small":
        return {"body": body}
    return {"body": body, "channels": 48, "hidden": 192, "rois_per_image": 128, "positive_fraction": 0.5}


def data_fields(source: str | None) -> Values:
    """What is trained and validated on.

    Args:
        source: the data set of the Data page, if one was chosen there.
    """
    values: Values = {}
    defaults = {"data.train": source or RunConfig().data.train, "data.val": _validation(source)}
    helps = {
        "data.train": "Folder with COCO, VOC or YOLO annotations, a COCO file, or `shapes:LENGTH:SEED`. The Data "
        "page's choice stands here first.",
        "data.val": "Measured after every epoch. Other images than those trained on, or AP flatters.",
    }
    for (key, default), label in zip(defaults.items(), ("Train on", "Validate on"), strict=True):
        # Another choice on the Data page gets fields of its own, so that it stands in them.
        widget = _KEY.format(f"{key}@{source or ''}")
        text = st.text_input(label, default, key=widget, persist_state="session", help=helps[key]).strip()
        values[key] = named_source(text) or default
    if values["data.train"] == values["data.val"]:
        st.caption(":orange[Validated on the very images that are trained on: AP will flatter.]")
    values |= numbers(BASICS)
    st.caption(
        f"Augmentation: {augmentation_words(data_augmentation())}. The Data page sets it and shows it."
    )
    return values


def place_fields() -> Values:
    """Where it runs."""
    device = st.segmented_control(
        "Device", list(_DEVICES), default="auto", required=True, key=_KEY.format("device"),
        persist_state="session", format_func=lambda name: _DEVICES[name],
        help="Mixed precision is used where the device has it.",
    )  # fmt: skip
    return {"trainer.accelerator": device}


def recipe_fields(scratch: bool) -> Values:
    """How the weights are moved."""
    optimizer = st.segmented_control(
        "Optimizer", ("adamw", "sgd"), default="adamw", required=True, key=_KEY.format("optimizer"),
        persist_state="session", format_func=lambda name: {"adamw": "AdamW", "sgd": "SGD"}[name],
        help="AdamW forgives a wrong learning rate; SGD with momentum 0.9 is what torchvision's recipes use.",
    )  # fmt: skip
    values: Values = {"recipe.optimizer": optimizer, **numbers(STEPS, "scratch" if scratch else "tuned")}
    st.caption("Weights of the four losses")
    values |= numbers(LAMBDAS)
    return values


def record_fields() -> Values:
    """What is kept of the run, and when it ends."""
    monitor = st.selectbox(
        "Best epoch by", _MONITORS, key=_KEY.format("monitor"), persist_state="session", format_func=_monitor_words,
        help="What `best.safetensors` is chosen by, and what patience waits for.",
    )  # fmt: skip
    return {"monitor": monitor, **numbers(RECORD)}


def augmentation_words(augmentation: Augmentation) -> str:
    """What the training images go through, in a few words."""
    parts = []
    if augmentation.flip:
        parts.append(f"flip {augmentation.flip:g}")
    if augmentation.scale != (1.0, 1.0):
        parts.append("scale {:g} to {:g}".format(*augmentation.scale))
    if augmentation.colour:
        parts.append(f"colour {augmentation.colour:g}")
    if augmentation.crop:
        parts.append(f"crop {augmentation.crop:g}")
    return ", ".join(parts) or "none"


def augmentation_values() -> Values:
    """The augmentation as the Data page has it."""
    return {f"data.augmentation.{name}": value for name, value in asdict(data_augmentation()).items()}


def numbers(fields: Sequence[Field], form: str = "") -> Values:
    """Two number fields in each row; values by key, None for an empty one.

    Args:
        fields: what is asked for.
        form: another one has values of its own.
    """
    values: Values = {}
    for start in range(0, len(fields), 2):
        for place, field in zip(st.columns(2), fields[start : start + 2], strict=False):
            with place:
                values[field.key] = _number(field, form)
    return values


def _number(field: Field, form: str) -> float | None:
    whole = isinstance(field.step, int)
    kind = int if whole else float
    value = st.number_input(
        field.label,
        kind(field.low),
        None if field.high is None else kind(field.high),
        _default(field.key, form),
        kind(field.step),
        format=field.format,
        key=_KEY.format(f"{field.key}{form}"),
        persist_state="session",
        help=field.help,
        placeholder=field.empty or None,
    )
    if value is None and not field.empty:
        raise ValueError(f"{field.label} is empty; expected a number")
    return value


def _default(key: str, form: str) -> float | None:
    """As the records have it, but for what depends on where the weights come from."""
    if key in _BY_START.get(form, {}):
        return _BY_START[form][key]
    value: Any = RunConfig()
    for name in key.split("."):
        value = getattr(value, name)
    return value


def _validation(source: str | None) -> str:
    return RunConfig().data.val if source is None or source.startswith("shapes") else source


def _monitor_words(name: str) -> str:
    rung = name.partition("/")[2]
    return {"RPN_LIMIT": "recall of the proposals", "ROI_BOX": "recall after the RoI box"}.get(rung, name)
