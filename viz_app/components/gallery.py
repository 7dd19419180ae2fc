"""The gallery in the running app: draws its cards and reports which one was clicked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamlit.components.v2 import component

from viz_app.figures.gallery import CSS

if TYPE_CHECKING:
    from collections.abc import Callable

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


def show_gallery(markup: str, key: str, on_click: Callable[[], None]) -> None:
    """Draw the markup of `gallery_html`.

    Args:
        markup: the cards.
        key: of the widget.
        on_click: called when a card is clicked; the widget's value has its place as `card`.
    """
    _component(key=key, data=markup, on_card_change=on_click)
