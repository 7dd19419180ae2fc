"""The gallery in the running app: draws its cards and reports which one was clicked."""

from __future__ import annotations

from streamlit.components.v2 import component

from viz_app.figures.gallery import CSS

_JS = """
export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const root = parentElement.querySelector("#gallery");
  if (root.markup !== data) {
    root.innerHTML = data;
    root.markup = data;
  }
  root.onclick = (event) => {
    const card = event.target.closest("button");
    if (card) setTriggerValue("card", Number(card.dataset.card));
  };
}
"""

_component = component("boxscope_gallery", html='<div id="gallery"></div>', css=CSS, js=_JS)


def show_gallery(markup: str, key: str) -> int | None:
    """Draw the markup of `gallery_html` and say which card was clicked in this run, if one was."""
    card = _component(key=key, data=markup, on_card_change=_ignore).card
    return int(card) if isinstance(card, int | float) else None


def _ignore() -> None:
    """A trigger needs a callback to be reported at all; the value is read from the result."""
