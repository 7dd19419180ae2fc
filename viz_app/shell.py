"""What every page shares: navigation, sidebar, problems, and the strip on top."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

import streamlit as st

from viz_app import resources, state
from viz_app.brand import ICON, LOGO, STYLE
from viz_app.cautions import cautions
from viz_app.components.strip import show_strip
from viz_app.controls import choose_scene
from viz_app.figures.strip import Stage, strip_of
from viz_app.figures.strip_html import strip_html
from viz_app.jobs.readable import stand_guard
from viz_app.links import Selected
from viz_app.login import admitted
from viz_app.problems import show_notice
from viz_app.sidebar.training import training_panel

if TYPE_CHECKING:
    from streamlit.navigation.page import Page

    from viz_app.scene import Scene


@dataclass(frozen=True, slots=True)
class Entry:
    """One page.

    Args:
        name: of its module in `app_pages`, and its address.
        title: in the navigation.
        section: of the navigation.
        stages: whose chips lead here.
        about_image: it shows the image of the sidebar: the strip stands on top, and without an image it is empty.
            Any other page opens always, and is given the scene where there is one.
    """

    name: str
    title: str
    section: str
    stages: tuple[Stage, ...] = ()
    about_image: bool = True


ENTRIES = (
    Entry("backbone", "Input & backbone", "Inspect", (Stage.IMAGE, Stage.PYRAMID)),
    Entry("rpn", "RPN", "Inspect", (Stage.ANCHORS, Stage.TOP_N, Stage.PROPOSALS)),
    Entry("fast_rcnn", "Fast R-CNN", "Inspect", (Stage.CLASS_SLOTS,)),
    Entry("full_network", "Full network", "Inspect", (Stage.DETECTIONS,)),
    Entry("why", "Why?", "Inspect"),
    Entry("data", "Data", "Improve", about_image=False),
    Entry("doctor", "Doctor", "Improve", about_image=False),
    Entry("train", "Train", "Improve", about_image=False),
    Entry("tune", "Tune", "Improve", about_image=False),
    Entry("dataset", "Data set", "Judge", about_image=False),
    Entry("evaluate", "Evaluate", "Judge", about_image=False),
    Entry("compare", "Compare", "Judge", about_image=False),
)
HOME = "full_network"
WHY = "why"


def main() -> None:
    """Draw the whole app once."""
    st.set_page_config(page_title="Boxscope", page_icon=ICON, layout="wide")
    st.logo(LOGO, size="large", icon_image=ICON)
    st.html(STYLE)
    stand_guard()
    resources.swept()
    resources.session_folder()
    if not admitted():
        return
    box = st.container()
    panel = st.sidebar.container()
    scene = choose_scene(box)
    training_panel(panel)
    pages = {entry.name: _page(entry, scene) for entry in ENTRIES}
    sections: dict[str, list[Page]] = {}
    for entry in ENTRIES:
        sections.setdefault(entry.section, []).append(pages[entry.name])
    page = st.navigation(sections)
    if (wanted := state.take_page()) in pages:
        st.switch_page(pages[wanted])
    current = next(entry for entry in ENTRIES if pages[entry.name] == page)
    if current.about_image:
        if scene is None:
            return
        for caution in cautions(scene.trace):
            show_notice(box, caution)
        _strip(scene, current, pages)
    page.run()


def page_of(stage: Stage) -> Page | None:
    """The page about a stage, for a link; None where there is none yet."""
    entry = next((entry for entry in ENTRIES if stage in entry.stages), None)
    # Streamlit knows a page by its address: this one leads to the one that is registered.
    return None if entry is None else _page(entry, None)


def page_called(name: str) -> Page:
    """The page of that name, for a link."""
    return _page(next(entry for entry in ENTRIES if entry.name == name), None)


def _page(entry: Entry, scene: Scene | None) -> Page:
    return st.Page(
        partial(_render, entry.name, scene),
        title=entry.title,
        url_path=entry.name,
        default=entry.name == HOME,
    )


def _render(name: str, scene: Scene | None) -> None:
    # Imported when it is opened: the first page is there sooner.
    import_module(f"viz_app.app_pages.{name}").render(scene)


def _strip(scene: Scene, current: Entry, pages: dict[str, Page]) -> None:
    reachable = [stage for entry in ENTRIES for stage in entry.stages]
    strip = strip_of(scene.replay, scene.diagnosis)
    click = show_strip(strip_html(strip, current=current.stages, clickable=reachable))
    if click.object is not None:
        state.select(Selected("object", click.object))
        if current.name != WHY:
            st.switch_page(pages[WHY])
        st.rerun()
    for entry in ENTRIES:
        if click.stage in entry.stages and entry is not current:
            st.switch_page(pages[entry.name])
