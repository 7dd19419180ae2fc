"""What a person does in the app, at random: opens images, moves thresholds, turns pages, uploads, leaves."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from streamlit.proto.Common_pb2 import DoubleArray
from streamlit.proto.WidgetStates_pb2 import WidgetState

from benchmarks.streamlit_client import Session
from detector.data.images import read_image
from viz_app.bundled import sample_images_folder

SLIDERS = ("Score", "Box NMS IoU", "RPN NMS IoU", "keep per image")
_INSPECT = ("", "backbone", "rpn", "fast_rcnn", "why")
_VISIT = (6, 14)
_THINK = (0.5, 2.0)
_IN_HASTE = 0.3  # share of visits that end while the page is being drawn


@dataclass(slots=True)
class Record:
    """What happened to all people together.

    Args:
        taken: seconds, by action.
        errors: what went wrong, by action.
        visits: sessions that were opened.
    """

    taken: dict[str, list[float]] = field(default_factory=dict)
    errors: list[tuple[str, str]] = field(default_factory=list)
    visits: int = 0


async def live(url: str, record: Record, chance: random.Random, until: float) -> None:
    """Visit after visit, each a new session, until the clock (`time.monotonic`) says so."""
    while time.monotonic() < until:
        try:
            await _visit(url, record, chance, until)
        except Exception as error:  # one lost session is a finding, and must not end the others
            record.errors.append(("session", f"{type(error).__name__}: {error}"))
            await asyncio.sleep(1)


async def tour(url: str, record: Record) -> None:
    """Every action and every page once: whatever a server loads when it is first asked is loaded then."""
    chance = random.Random(0)
    async with Session(url) as session:
        await _timed("open", session, record, session.open)
        for action in ("image", "threshold", "upload"):
            await _act(action, session, record, chance)
        for page in session.pages:
            await _timed("page", session, record, lambda page=page: session.go(page))


async def _visit(url: str, record: Record, chance: random.Random, until: float) -> None:
    record.visits += 1
    async with Session(url) as session:
        await _timed("open", session, record, session.open)
        for _ in range(chance.randint(*_VISIT)):
            await asyncio.sleep(chance.uniform(*_THINK))
            if time.monotonic() >= until:
                return
            (action,) = chance.choices(("image", "threshold", "page", "upload"), (3, 5, 4, 1))
            await _act(action, session, record, chance)
        if chance.random() < _IN_HASTE:
            await session.walk_out()


async def _act(action: str, session: Session, record: Record, chance: random.Random) -> None:
    """One action, if the page at hand offers it."""
    images, uploader = session.find("selectbox", "Image"), session.find("file_uploader", "Images")
    slider = session.find("slider", chance.choice(SLIDERS))
    if action == "page":
        page = chance.choice(_INSPECT if chance.random() < 0.7 else tuple(session.pages))
        await _timed("page", session, record, lambda: session.go(page))
    elif action == "image" and images is not None:
        option = chance.choice(images.proto.options)
        await _timed("image", session, record, lambda: session.set(images, WidgetState(string_value=option)))
    elif action == "upload" and uploader is not None:
        photo = _photo(chance)
        await _timed("upload", session, record, lambda: session.upload(uploader, "photo.png", photo))
    elif action == "threshold" and slider is not None:
        at = _position(slider.proto.min, slider.proto.max, slider.proto.step, chance)
        value = WidgetState(double_array_value=DoubleArray(data=[at]))
        await _timed("threshold", session, record, lambda: session.set(slider, value))


async def _timed(action: str, session: Session, record: Record, act: Callable[[], Awaitable[None]]) -> None:
    """Do it and note how long it took and what the page said was wrong."""
    session.errors.clear()
    begin = time.perf_counter()
    await act()
    record.taken.setdefault(action, []).append(time.perf_counter() - begin)
    record.errors += [(action, error) for error in session.errors]


def _position(low: float, high: float, step: float, chance: random.Random) -> float:
    return low + step * chance.randint(0, round((high - low) / step))


def _photo(chance: random.Random) -> bytes:
    """A bundled scene under another light: a picture that no server has seen. PNG."""
    scene: Path = chance.choice(sorted(sample_images_folder().glob("*.png")))
    pixels = read_image(scene).pixels.permute(1, 2, 0).flip(2).numpy().astype(np.float32) * chance.uniform(
        0.6, 1.2
    )
    return cv2.imencode(".png", pixels.clip(0, 255).astype(np.uint8))[1].tobytes()
