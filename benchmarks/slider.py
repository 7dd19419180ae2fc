"""From the release of a slider, or a click, to new pixels in headless Chromium, and to the server's own answer.

The canvas draws by itself what the sliders Score and Box NMS IoU ask for, and marks the box that was clicked; the
replay and the rest of the page follow. Beside it stands a Streamlit script of one slider and one line of text: what
no answer of a server can be faster than. Both are open in one browser and are asked in turn.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.chromium import chromium
from benchmarks.measure import Measure, report

if TYPE_CHECKING:
    from playwright.sync_api import Page

BAR_SECONDS = 0.150
_ROUNDS = 15
_SCORE = 'input[type=range][aria-label="Score"]'
_APP = Path(__file__).parent.parent / "viz_app" / "app.py"
_TEXT = 'import streamlit as st\n\nst.text(st.slider("Score", 0.0, 1.0, 0.5, 0.005, key="s"))\n'

# Milliseconds from an event of the page to the frame in which `probe()` first says something else.
_WATCH = """([kind, probe]) => {
  const read = new Function("return (" + probe + ")");
  const before = read();
  window.taken = new Promise((done) => {
    document.addEventListener(kind, () => {
      const begin = performance.now();
      const look = () => read() === before ? requestAnimationFrame(look) : done(performance.now() - begin);
      look();
    }, { capture: true, once: true });
  });
}"""
_THERE = "(probe) => { try { return !!new Function('return (' + probe + ')')() } catch { return false } }"
# The component lives in a shadow root.
_FIND = "[...document.querySelectorAll('*')].map((e) => e.shadowRoot?.querySelector('.canvas')).find(Boolean)"
_PIXELS = f"(() => {{ const root = {_FIND}; return root.canvas.data.length + '/' + root.canvas.frames }})()"
_PREVIEW = f"{_FIND}.canvas.header.preview"
_REPLAYED = f"[{_PREVIEW}.score, {_PREVIEW}.count].join()"
_SELECTED = f"JSON.stringify({_FIND}.canvas.header.selected)"
# A promise that never keeps would hang the run: ten seconds stand for it.
_TAKEN = "Promise.race([window.taken, new Promise((late) => setTimeout(() => late(10000), 10000))])"
_TEXT_SHOWN = "document.querySelector('[data-testid=stText]').innerText"


def run() -> None:
    """Print and write the table."""
    with tempfile.TemporaryDirectory() as folder, chromium((1440, 920)) as page:
        script = Path(folder) / "text.py"
        script.write_text(_TEXT, encoding="utf-8")
        with _served(script) as plain_url, _served(_APP) as url:
            plain = page.context.new_page()
            _open(plain, plain_url, _TEXT_SHOWN)
            _open(page, url, _PIXELS)
            sliders = [(page, _PIXELS), (page, _REPLAYED), (plain, _TEXT_SHOWN)]
            drawn, replayed, text = _in_turn(sliders)
            page.bring_to_front()
            marked, answered = (_picks(page, probe) for probe in (_PIXELS, _SELECTED))
    rows = {
        "Score released, to new pixels": drawn,
        "Score released, to the replay's own picture": replayed,
        "pick, to the marked box": marked,
        "pick, to the page's own answer": answered,
    }
    report(
        "slider: milliseconds in headless Chromium / bar, bundled detector, software rendering",
        [Measure(f"{name} / 150 ms", taken, BAR_SECONDS, 1.0) for name, taken in rows.items()]
        + [Measure("the replay's own picture / Streamlit's text-only round trip", replayed, text, 5.0)],
    )


def _open(page: Page, url: str, probe: str) -> None:
    """Until the slider `Score` and what the probe reads are there, and the page is quiet."""
    page.goto(url)
    page.locator(_SCORE).wait_for(timeout=120_000)
    page.wait_for_function(_THERE, arg=probe, timeout=120_000)
    page.wait_for_timeout(3000)


def _in_turn(sliders: list[tuple[Page, str]]) -> list[float]:
    """Median seconds of each from a key on `Score`, when it comes up, to the change of its probe."""
    taken: list[list[float]] = [[] for _ in sliders]
    for number in range(_ROUNDS):
        for place, (page, probe) in enumerate(sliders):
            page.bring_to_front()  # a page behind another one paints nothing
            page.evaluate(_WATCH, ["keyup", probe])
            # Two probes share a slider: each of its moves is followed by one back.
            page.locator(_SCORE).press("ArrowLeft" if (number + place) % 2 else "ArrowRight")
            taken[place].append(page.evaluate(_TAKEN) / 1000)
            page.wait_for_timeout(600)
    return [statistics.median(times[2:]) for times in taken]


def _picks(page: Page, probe: str) -> float:
    """Median seconds from a click on a box to the change of `probe`."""
    canvas = page.locator(".canvas .stage").first
    places = _two_apart(page)
    taken = []
    for number in range(_ROUNDS):
        x, y = places[number % 2]
        scale = page.evaluate(f"{_FIND}.canvas.view.scale")
        page.evaluate(_WATCH, ["pointerup", probe])
        canvas.click(position={"x": x * scale, "y": y * scale})
        taken.append(page.evaluate(_TAKEN) / 1000)
        page.wait_for_timeout(400)
    return statistics.median(taken[2:])


def _two_apart(page: Page) -> list[tuple[float, float]]:
    """Centres of two small boxes far from one another: each click there selects something else."""
    groups = page.evaluate(f"{_FIND}.canvas.header.groups.map((g) => g.picks ? [...g.boxes] : [])")
    flat = [group[at : at + 4] for group in groups for at in range(0, len(group), 4)]
    flat.sort(key=lambda box: (box[2] - box[0]) * (box[3] - box[1]))
    centres = [((x1 + x2) / 2, (y1 + y2) / 2) for x1, y1, x2, y2 in flat]
    first = centres[0]
    return [first, next(c for c in centres if abs(c[0] - first[0]) + abs(c[1] - first[1]) > 60)]


@contextmanager
def _served(script: Path) -> Iterator[str]:
    """The address of a Streamlit script, served until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = ["--server.port", str(port), "--server.headless", "true", "--server.address", "127.0.0.1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(script), *settings],
        cwd=_APP.parents[1],
        env={**os.environ, "PYTHONPATH": str(_APP.parents[1])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(f"{url}/_stcore/health")
        yield url
    finally:
        process.terminate()
        process.wait()


def _wait(url: str) -> None:
    for _ in range(600):
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"{url} did not answer within a minute")


if __name__ == "__main__":
    run()
