"""The strip in the running app: draws its markup and reports what was clicked, without reloading the page."""

from __future__ import annotations

from dataclasses import dataclass

from streamlit.components.v2 import component

from viz_app.figures.strip import Stage
from viz_app.figures.strip_html import CSS

# The markup comes as data and is replaced as a whole; a button that had the focus gets it back.
_JS = """
export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const root = parentElement.querySelector("#strip");
  if (root.markup !== data) {
    const focused = root.querySelector(":focus");
    const mark = focused && (focused.dataset.stage ? `[data-stage="${focused.dataset.stage}"]`
      : `[data-why="${focused.dataset.why}"]`);
    root.innerHTML = data;
    root.markup = data;
    if (mark) root.querySelector(mark)?.focus();
  }
  root.onclick = (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.why) setTriggerValue("why", Number(button.dataset.why));
    else if (button?.dataset.stage) setTriggerValue("stage", button.dataset.stage);
  };
}
"""


@dataclass(frozen=True, slots=True)
class StripClick:
    """What was clicked in this run: a stage, an object's "why?", or nothing."""

    stage: Stage | None = None
    object: int | None = None


_component = component("boxscope_strip", html='<div id="strip"></div>', css=CSS, js=_JS)


def show_strip(markup: str) -> StripClick:
    """Draw the markup of `strip_html` and say what was clicked."""
    result = _component(key="strip", data=markup, on_stage_change=_ignore, on_why_change=_ignore)
    stage = next((stage for stage in Stage if stage.key == result.stage), None)
    why = result.why
    return StripClick(stage, int(why) if isinstance(why, int | float) else None)


def _ignore() -> None:
    """A trigger needs a callback to be reported at all; the value is read from the result."""
