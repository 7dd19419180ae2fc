"""A page with one canvas, for the browser tests: what it reports is written below it."""

import json
from dataclasses import asdict

import streamlit as st

from detector import Replayer, capture, load_detector
from detector.data.images import read_image
from viz_app.bundled import sample_images_folder
from viz_app.canvas.candidates import preview_of
from viz_app.canvas.component import show_canvas
from viz_app.figures.full_network import overview_groups


@st.cache_resource
def replayer(name: str) -> Replayer:
    detector = load_detector("shapes")
    return Replayer(capture(detector, read_image(sample_images_folder() / name)), detector)


replay = replayer("scene_01.png").replay()
event = show_canvas(
    replay.trace.input.pixels, overview_groups(replay), key="canvas", preview=preview_of(replay)
)
st.session_state.run = st.session_state.get("run", 0) + 1
st.text(f"run {st.session_state.run}")
st.button("again")
if event.pick or event.drawn or event.thresholds:
    st.text("event " + json.dumps(asdict(event)))
