"""The canvas in a bare page, mounted as Streamlit mounts it: what it sends is collected, and reruns are calls."""

import base64
from typing import Any

from playwright.sync_api import Page

from viz_app.canvas import source

_MOUNT = """async ([html, css, js, packet, width]) => {
  document.body.innerHTML = "";
  const host = document.body.appendChild(document.createElement("div"));
  host.style.width = `${width}px`;
  const parentElement = host.attachShadow({ mode: "open" });
  parentElement.innerHTML = html + "<style>" + css + "</style>";
  const module = await import(URL.createObjectURL(new Blob([js], { type: "text/javascript" })));
  window.sent = [];
  const setTriggerValue = (name, value) => window.sent.push([name, value]);
  window.show = (packet) => {
    const data = Uint8Array.from(atob(packet), (letter) => letter.charCodeAt(0));
    return module.default({ data, parentElement, setTriggerValue, setStateValue: () => {} });
  };
  window.root = parentElement.querySelector(".canvas");
  window.cleanUp = window.show(packet);
  await window.root.querySelector("img.image").decode();
}"""


def mount(page: Page, packet: bytes, width: int = 800) -> None:
    """Show a packet in an empty page, in a column `width` screen pixels wide."""
    page.set_content("<!doctype html><body style='margin:0'></body>")
    drawn = base64.b64encode(packet).decode()
    page.evaluate(_MOUNT, [source.markup(), source.style(), source.script(), drawn, width])


def rerun(page: Page, packet: bytes) -> None:
    """Show another packet in the same place, as a rerun of the script does."""
    page.evaluate("(packet) => { window.cleanUp = window.show(packet); }", base64.b64encode(packet).decode())


def sent(page: Page) -> list[list[Any]]:
    """[name, value] of every event since the last call."""
    return page.evaluate("window.sent.splice(0)")


def chosen(page: Page) -> tuple[int, int] | None:
    """(group, place) of the box that is highlighted."""
    box = page.evaluate("window.root.canvas.chosen")
    return None if box is None else (box["group"], box["place"])


def screen_point(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where a point of the image lies on the screen now."""
    return tuple(
        page.evaluate(
            """([x, y]) => {
              const { view, surface } = window.root.canvas;
              const at = surface.getBoundingClientRect();
              return [at.left + view.x + x * view.scale, at.top + view.y + y * view.scale];
            }""",
            [x, y],
        )
    )


def color_at(page: Page, x: float, y: float) -> tuple[int, ...]:
    """RGBA of what is painted over a point of the image."""
    return tuple(
        page.evaluate(
            """([x, y]) => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
              const { view, painter } = window.root.canvas;
              const at = [x * view.scale + view.x, y * view.scale + view.y];
              const [px, py] = at.map((value) => Math.round(value * painter.ratio));
              done(Array.from(painter.pen.getImageData(px, py, 1, 1).data));
            })))""",
            [x, y],
        )
    )
