"""The canvas in headless Chromium: frames with 5,000 boxes, and what is sent beside what plotly would send.

Chromium paints here without a graphics card, on the cores that also run this process: a laptop is faster.
"""

from __future__ import annotations

import base64
import statistics
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from benchmarks.chromium import chromium
from benchmarks.measure import Measure, alternate, report
from viz_app.canvas.component import script
from viz_app.canvas.encoded import forget
from viz_app.canvas.packet import pack
from viz_app.figures.picture import BoxGroup, picture

if TYPE_CHECKING:
    from playwright.sync_api import Page

SIZE = (600, 800)
_FOLDER = Path(__file__).parent.parent / "viz_app" / "canvas"
VIEWPORT = (1280, 900)
FRAME = 1 / 30
_FRAMES = 90

# Streamlit mounts a component in a shadow root; so does this.
_MOUNT = """async ([html, css, js, packet]) => {
  const host = document.body.appendChild(document.createElement("div"));
  const parentElement = host.attachShadow({ mode: "open" });
  parentElement.innerHTML = html + "<style>" + css + "</style>";
  const module = await import(URL.createObjectURL(new Blob([js], { type: "text/javascript" })));
  const data = Uint8Array.from(atob(packet), (letter) => letter.charCodeAt(0));
  module.default({ data, parentElement, setTriggerValue: () => {}, setStateValue: () => {} });
  window.root = parentElement.querySelector(".canvas");
}"""
# One step at each frame: in and out around a moving point, or to and fro.
_MOVE = """([what, frames]) => new Promise((done) => {
  const canvas = window.root.canvas, times = [];
  canvas.view.fit();
  if (what === "pan") canvas.view.by(3, 400, 300);
  const step = (now) => {
    times.push(now);
    if (times.length > frames) return done(times);
    const phase = times.length / 15;
    if (what === "zoom") canvas.view.by(Math.exp(0.06 * Math.cos(phase)), 400 + 200 * Math.sin(phase / 3), 300);
    else canvas.view.pan(14 * Math.cos(phase), 9 * Math.cos(phase / 2));
    canvas.move(() => {});
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})"""


def run(rounds: int = 5) -> None:
    """Print and write the table."""
    measures = [_sending(5_000, rounds), _sending(160_000, 1, warm=0)]
    with chromium(VIEWPORT) as page:
        for halo in (None, "rgba(0,0,0,0.55)"):
            measures += _frames(page, halo)
    report("canvas: boxes over an 800 x 600 image in headless Chromium, software rendering", measures)


def boxes(count: int, seed: int = 0) -> Tensor:
    """Float [count, 4] xyxy within the image: of all sizes, as anchors are."""
    generator = torch.Generator().manual_seed(seed)
    height, width = SIZE
    centre = torch.rand((count, 2), generator=generator) * torch.tensor([width, height])
    side = 8 * 32 ** torch.rand((count, 2), generator=generator)
    corners = torch.cat((centre - side / 2, centre + side / 2), dim=1)
    return corners.clamp(min=0).minimum(torch.tensor([width, height] * 2, dtype=torch.float32))


def scene(count: int, halo: str | None = None) -> tuple[Tensor, list[BoxGroup]]:
    """A smooth image and one group of boxes with a hover text each."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand((1, 3, 12, 16), generator=generator)
    pixels = torch.nn.functional.interpolate(coarse, size=SIZE, mode="bicubic")[0].clamp(0, 1)
    hover = tuple(f"anchor {index}" for index in range(count))
    group = BoxGroup(boxes(count), "anchors", "#0072B2", hover=hover, halo=halo, width=1.5)
    return (pixels * 255).to(torch.uint8), [group]


def _sending(count: int, rounds: int, warm: int = 1) -> Measure:
    """Making the packet against making plotly's JSON of the same picture; sizes in the name."""
    pixels, groups = scene(count)
    packet, figure = len(pack(pixels, groups)), len(picture(pixels, groups).to_json() or "")

    def first_pack() -> object:
        forget()
        return pack(pixels, groups)

    ours, theirs = alternate(first_pack, lambda: picture(pixels, groups).to_json(), rounds=rounds, warm=warm)
    sizes = f"{packet / 1024:,.0f} KiB / {figure / 1024:,.0f} KiB"
    return Measure(f"{count:,} boxes to bytes / to plotly's JSON ({sizes})", ours, theirs, 1.0)


def _frames(page: Page, halo: str | None) -> list[Measure]:
    pixels, groups = scene(5_000, halo)
    page.set_content("<body style='margin:0;width:800px'></body>")
    packet = base64.b64encode(pack(pixels, groups)).decode()
    html, css = ((_FOLDER / name).read_text(encoding="utf-8") for name in ("canvas.html", "canvas.css"))
    page.evaluate(_MOUNT, [html, css, script(), packet])
    words = "with halo" if halo else "without halo"
    measures = []
    for what in ("zoom", "pan"):
        times = page.evaluate(_MOVE, [what, _FRAMES])
        taken = [(after - before) / 1000 for before, after in pairwise(times)]
        name = f"{what}, 5,000 boxes {words}: a frame / one thirtieth of a second"
        measures.append(Measure(name, statistics.median(taken), FRAME, 1.0))
    return measures


if __name__ == "__main__":
    run()
