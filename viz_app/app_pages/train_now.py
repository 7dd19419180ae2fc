"""What the detector makes of the probe images now, and the last lines of the log: beneath the curves of a run."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import streamlit as st
import torch

from detector.explaining.rungs import Rung
from detector.training.probe_reading import probe_folder, probe_images
from viz_app import state
from viz_app.app_pages.train_frames import glance_of
from viz_app.app_pages.train_shown import LOG, PROBES, VIEW, config_of_run, measured
from viz_app.figures.epoch_curves import epoch_name
from viz_app.figures.picture import png_bytes
from viz_app.figures.probe_pictures import side_by_side
from viz_app.jobs.training import log_tail
from viz_app.problems import as_sentence, literal

if TYPE_CHECKING:
    from pathlib import Path

    from detector.training.run_directory import Run

_LINES = 8
_DATE = re.compile(r"^\d{4}-\d\d-\d\d ", re.MULTILINE)


def show_now(run: Run) -> None:
    """Probes on the left, the log on the right; each leads to the view that shows all of it."""
    left, right = st.columns([0.56, 0.44], gap="small")
    with left, st.container(border=True, height="stretch"):
        _probes(run)
    with right, st.container(border=True, height="stretch"):
        _head("Log", "All of it", LOG)
        text = _DATE.sub("", log_tail(run.folder, _LINES))
        st.code(text or "Nothing yet.", language=None, wrap_lines=True)


def _probes(run: Run) -> None:
    epochs = measured(run.name).epochs
    # The row of an epoch is written after its probes: they are all there.
    epoch = epochs[-1].epoch if epochs else None
    images = [] if epoch is None else probe_images(run.folder, epoch)
    if epoch is None or not images:
        st.subheader("Probe images", anchor=False)
        config = config_of_run(run.name)
        off = config is not None and config.probes == 0
        st.caption("This run looks at none." if off else "The first ones are traced before the first step.")
        return
    when = "before training" if epoch < 0 else f"after epoch {epoch_name(epoch)}"
    _head(f"Probe images, {when}", "Time machine", PROBES)
    try:
        picture, words = _row(run.folder, epoch, tuple(images), _written(run.folder, epoch))
    except ValueError as problem:
        st.error(literal(as_sentence(problem)), icon=":material/error:")
        return
    st.image(picture)
    st.caption(f"{words} Blue is a detection, orange a false one, dashed red a lost object.")


def _head(title: str, more: str, view: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.subheader(title, anchor=False)
        st.button(
            more, key=f"train.to.{view}", type="tertiary", icon=":material/arrow_forward:", icon_position="right",
            on_click=state.set_widget, args=(VIEW, view),
        )  # fmt: skip


@lru_cache(maxsize=16)
def _row(folder: Path, epoch: int, images: tuple[int, ...], written: int) -> tuple[bytes, str]:
    """The pictures as PNG, drawn once for each epoch, and how many objects were found on them."""
    del written
    glances = [glance_of(folder, epoch, image) for image in images]
    rungs = [rung for glance in glances for rung in glance.rungs.values()]
    found = sum(rung is Rung.FOUND for rung in rungs)
    words = f"{found:,} of {len(rungs):,} objects found." if rungs else "There is no object on them."
    return png_bytes(torch.from_numpy(side_by_side(glances, "detections"))), words


def _written(folder: Path, epoch: int) -> int:
    """Another number once the probes of an epoch were traced again."""
    try:
        return probe_folder(folder, epoch).stat().st_mtime_ns
    except OSError:
        return 0
