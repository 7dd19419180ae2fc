"""The card that begins a study: what is changed, what is to be best, on which images, and how many trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from detector.explaining.rungs import Rung
from detector.models.families import TORCHVISION_NAMES
from detector.training.config import RunConfig
from detector.training.config_file import config_text, read_config
from detector.training.run_directory import CONFIG
from detector.training.tuning import AVERAGES, StudyConfig
from detector.training.tuning_settings import usual
from detector.training.tuning_space import THRESHOLDS, TRAINING, parameters_of
from viz_app import state
from viz_app.app_pages.dataset_choice import choose_dataset, kept_for_jobs, opened
from viz_app.controls import shown_detector
from viz_app.figures.remedy_words import FIELD_WORDS
from viz_app.figures.study import words_of
from viz_app.figures.words import plural
from viz_app.job_check import check_study
from viz_app.jobs.job import short_name
from viz_app.jobs.studies import free_name, start, study_names
from viz_app.jobs.workspace import is_name, runs_folder
from viz_app.problems import as_sentence, literal

if TYPE_CHECKING:
    from viz_app.detector_spec import DetectorSpec

KINDS = {"thresholds": "Thresholds", "training": "Training"}
CHOSEN = "tune.study"
_KIND, _NAME, _RUN, TROUBLE = "tune.kind", "tune.name", "tune.run", "tune.trouble"
_DEFAULT_RUN = "the default recipe"
_WORDS = {
    "lr": "learning rate", "lambda_1": "λ₁ RPN objectness", "lambda_2": "λ₂ RPN box",
    "lambda_3": "λ₃ RoI class", "lambda_4": "λ₄ RoI box", "dropout": "dropout",
    "box_nms": "box NMS IoU", "anchor_scale": "anchor scale", "hard_negative_share": "hard negatives",
    "weight_decay": "weight decay",
}  # fmt: skip
_ABOUT = {
    "thresholds": "Nothing is trained: each image is captured once, and a trial replays both filters on all of "
    "them. A hundred trials take about a minute or less.",
    "training": "Each trial is a training run of its own, so this takes as long as that many runs. With one "
    "objective, trials that do worse than most are ended early.",
}


def show_form() -> None:
    """Draw the card."""
    with st.container(border=True):
        head, about = st.columns([0.3, 0.7], vertical_alignment="center")
        kind = head.segmented_control(
            "What is tuned", tuple(KINDS), default="thresholds", required=True, key=_KIND,
            format_func=KINDS.__getitem__, label_visibility="collapsed", persist_state="session",
        )  # fmt: skip
        about.caption(_ABOUT[kind])
        source, run = _thresholds() if kind == "thresholds" else _training()
        left, middle, right = st.columns([0.5, 0.3, 0.2])
        parameters = left.multiselect(
            "What trials change", [one.name for one in (THRESHOLDS if kind == "thresholds" else TRAINING)],
            default=list(usual(kind, run or "")), format_func=lambda name: _words(kind, name),
            key=f"tune.parameters.{kind}", persist_state="session",
        )  # fmt: skip
        objectives = middle.multiselect(
            "What is to be best", _objectives(kind), default=["F1" if kind == "thresholds" else "AP"],
            format_func=words_of, key=f"tune.objectives.{kind}", persist_state="session",
            help="Several: all trials that no other one beats are kept, the front.",
        )  # fmt: skip
        trials = right.number_input(
            "Trials",
            1,
            100_000,
            100 if kind == "thresholds" else 20,
            1,
            key=f"tune.trials.{kind}",
            persist_state="session",
        )
        _hint(kind, parameters, objectives)
        name, workers, button = st.columns([0.5, 0.3, 0.2], vertical_alignment="bottom")
        called = name.text_input("Name", key=_NAME, placeholder=free_name(kind)).strip() or free_name(kind)
        count = workers.number_input(
            "Workers", 1, 64, 1, 1, key="tune.workers", persist_state="session",
            help="Processes at once on this machine. Others help with `boxscope tune` and a shared database.",
        )  # fmt: skip
        chosen = tuple(parameters), tuple(objectives)
        ready = bool(parameters and objectives and (source or run))
        button.button(
            "Start", key="tune.start", type="primary", icon=":material/tune:", width="stretch", disabled=not ready,
            on_click=_begin, args=(kind, called, chosen, (int(trials), int(count)), source or run),
        )  # fmt: skip
        if trouble := state.remembered(TROUBLE, ""):
            st.error(literal(as_sentence(trouble)), icon=":material/error:")


def _thresholds() -> tuple[str | None, str | None]:
    """The data set, where one can be opened."""
    left, right = st.columns([0.7, 0.3], vertical_alignment="bottom")
    with left:
        source = choose_dataset()
    spec = shown_detector()
    if spec is not None:
        right.caption(f"of the detector *{literal(short_name(spec.source))}*, which the sidebar shows")
    usable = source is not None and opened(source) is not None and spec is not None
    return (source if usable else None), None


def _training() -> tuple[str | None, str | None]:
    """The run that trials change, as text."""
    folder = runs_folder()
    runs = sorted(path.parent.name for path in folder.glob(f"*/{CONFIG}")) if folder.is_dir() else []
    chosen = st.selectbox(
        "Training run that trials change", [_DEFAULT_RUN, *runs], key=_RUN, persist_state="session",
        help="Its data, epochs and all settings that are not tuned stay. Make one on the Train page.",
    )  # fmt: skip
    try:
        config = RunConfig() if chosen == _DEFAULT_RUN else read_config(folder / chosen / CONFIG)
    except ValueError as problem:
        st.error(literal(as_sentence(problem)), icon=":material/error:")
        return None, None
    st.caption(
        f"*{literal(short_name(config.model.source))}* on {literal(short_name(config.data.train))}, judged on "
        f"{literal(short_name(config.data.val))}, {plural(config.epochs, 'epoch')} each"
    )
    return None, config_text(config)


def _hint(kind: str, parameters: list[str], objectives: list[str]) -> None:
    if kind == "thresholds" and "box_score" in parameters and objectives and set(objectives) <= set(AVERAGES):
        st.caption(
            ":material/lightbulb: AP never minds one more detection of low score, so it likes a low box score. "
            "F1 counts each wrong detection, and finds a score to work with."
        )


def _objectives(kind: str) -> list[str]:
    if kind == "thresholds":
        return ["F1", *AVERAGES, "AR"]
    sizes = ["AP_small", "AP_medium", "AP_large", "latency"]
    return [*AVERAGES, *sizes, *(f"recall/{rung.name}" for rung in Rung if rung is not Rung.FOUND)]


def _words(kind: str, name: str) -> str:
    return FIELD_WORDS[name] if kind == "thresholds" else _WORDS[name]


def _begin(
    kind: str, name: str, chosen: tuple[tuple[str, ...], tuple[str, ...]], counts: tuple[int, int], subject: str
) -> None:  # fmt: skip
    """Start a study.

    Args:
        kind, name: of the study.
        chosen: parameters and objectives.
        counts: trials and workers.
        subject: the data set, or the run that trials change, as text.
    """
    state.remember(TROUBLE, "")
    try:
        if not is_name(name) or name in study_names():
            raise ValueError(f"{name[:40]!r} cannot name a new study: it is taken, or no plain name")
        parameters, objectives, (trials, workers) = parameters_of(kind, chosen[0]), chosen[1], counts
        if kind == "training":
            config = StudyConfig(name, "training", parameters, objectives, trials, run=subject)
        else:
            spec = _kept(shown_detector())
            config = StudyConfig(
                name, "thresholds", parameters, objectives, trials,
                dataset=kept_for_jobs(subject), model=spec.kept_source, weights=_weights(spec),
            )  # fmt: skip
        check_study(config)
        start(config, workers)
    except (OSError, ValueError) as problem:
        state.remember(TROUBLE, f"the study cannot be started: {problem}")
        return
    state.set_widget(_NAME, "")
    state.set_widget(CHOSEN, name)


def _kept(spec: DetectorSpec | None) -> DetectorSpec:
    """The detector, once an uploaded one is a file."""
    if spec is None:
        raise ValueError("the sidebar shows no detector")
    spec.keep()
    return spec


def _weights(spec: DetectorSpec) -> str | None:
    return (spec.weights or "random") if spec.source in TORCHVISION_NAMES else None
