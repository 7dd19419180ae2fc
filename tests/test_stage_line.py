"""What takes longer than a moment names its stage, and what does not shows nothing."""

from __future__ import annotations

from threading import Thread

import pytest
import torch
from streamlit.testing.v1 import AppTest
from support.models import build_detector, random_image, shared_detector

from detector import capture
from detector.models.detector import lock_of
from detector.tracing.capture import STAGES


@pytest.mark.parametrize("name", ["fasterrcnn_mobilenet_v3_large_320_fpn", "pyramid_per_class"])
def test_a_capture_tells_its_stages_in_order_and_leaves_no_hook(name: str) -> None:
    detector, told = shared_detector(name), []
    trace = capture(detector, random_image(), on_stage=told.append)
    assert told == list(STAGES)
    assert not any(module._forward_pre_hooks for module in detector.model.modules())
    assert torch.equal(trace.detections.boxes, capture(detector, random_image()).detections.boxes)


def test_the_hooks_are_gone_after_an_exception() -> None:
    detector = build_detector("pyramid_per_class")

    def refuse(stage: str) -> None:
        if stage == "RPN":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        capture(detector, random_image(), on_stage=refuse)
    assert not any(module._forward_pre_hooks for module in detector.model.modules())
    # Nor is the model's lock held any longer: another thread gets it.
    free = []
    thread = Thread(target=lambda: free.append(lock_of(detector.model).acquire(blocking=False)))
    thread.start()
    thread.join()
    assert free == [True]


def slow_page() -> None:
    import time

    import streamlit as st

    from viz_app.stage_line import stage_line

    seen = st.session_state.setdefault("seen", [])
    box = st.container()

    @st.cache_resource
    def work(_tell: object) -> int:
        for stage in ("backbone", "RPN"):
            _tell(stage)
            deadline = time.monotonic() + 30
            # Drawn by another thread: wait until it is there.
            while not any(stage in text for text in seen) and time.monotonic() < deadline:
                time.sleep(0.02)
        return 7

    bar = type(box).progress
    type(box).progress = lambda self, value, text: (seen.append(text), bar(self, value, text))[1]
    try:
        with stage_line(box, "Running", ["backbone", "RPN"], patience=0.05) as tell:
            st.write(work(tell))
    finally:
        type(box).progress = bar


def test_a_slow_task_names_each_stage_and_the_line_is_gone_afterwards(fresh_caches: None) -> None:
    app = AppTest.from_function(slow_page, default_timeout=60).run()
    assert not app.exception
    assert app.session_state["seen"] == [
        "Running: backbone (stage 1 of 2)",
        "Running: RPN (stage 2 of 2)",
    ]
    assert app.markdown[0].value == "`7`" and not app.get("progress")
    # From the cache it is quick: nothing is drawn.
    app.run()
    assert len(app.session_state["seen"]) == 2
