"""The ladder in the running app: its markup in the theme's colours."""

from __future__ import annotations

from streamlit.components.v2 import component

from viz_app.figures.ladder_html import CSS

_JS = """
export default function (component) {
  const { data, parentElement } = component;
  const root = parentElement.querySelector("#ladder");
  if (root.markup !== data) root.innerHTML = root.markup = data;
}
"""

_component = component("boxscope_ladder", html='<div id="ladder"></div>', css=CSS, js=_JS)


def show_ladder(markup: str, key: str = "ladder") -> None:
    """Draw the markup of `ladder_html`."""
    _component(key=key, data=markup)
