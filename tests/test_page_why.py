"""The Why? page: it says why of whatever is asked, the change it offers works, and it can be asked about a box."""

from __future__ import annotations

import json
import re

import pytest
from streamlit.testing.v1 import AppTest
from support.app import calm, counts, move, open_app, said, slider

from viz_app.links import Asked, Selected

pytestmark = pytest.mark.usefixtures("fresh_caches")

PATIENCE = 120
ROW = re.compile(r'<li class="(\w+)" data-rung="(\w+)"')


def page(truth: str, knobs: dict[str, float]) -> None:
    """The page on one random image; runs inside AppTest, which takes the source of this function alone."""
    import streamlit as st
    from support.models import random_image, random_truth, shared_detector

    from detector import Replayer, capture
    from detector.explaining.ladder import diagnose
    from viz_app.app_pages import why
    from viz_app.scene import Scene

    if "replayer" not in st.session_state:
        detector = shared_detector("pyramid_per_class")
        known = None if truth == "unknown" else random_truth(3, count={"none": 0, "few": 3}[truth])
        st.session_state["replayer"] = Replayer(capture(detector, random_image(3), known), detector)
    replayer = st.session_state["replayer"]
    replay = replayer.replay(replayer.trace.thresholds.replace(**knobs))
    known = replayer.trace.ground_truth
    diagnosis = None if known is None else diagnose(replay, known)
    why.render(Scene(replayer.detector, replayer.trace, replayer, replay, diagnosis))


def open_page(truth: str, **knobs: float) -> AppTest:
    test = AppTest.from_function(page, default_timeout=PATIENCE, kwargs={"truth": truth, "knobs": knobs})
    test.run()
    assert not test.exception, test.exception
    return test


def words(test: AppTest) -> str:
    kinds = (test.subheader, test.markdown, test.caption, test.info)
    text = "\n".join(str(element.value) for elements in kinds for element in elements)
    return re.sub(r"\\(.)", r"\1", text)


def headline(test: AppTest) -> str:
    return re.sub(r"\\(.)", r"\1", test.subheader[0].value)


def ladder(test: AppTest) -> str:
    found = [element for element in test.get("bidi_component") if "ladder" in element.proto.id]
    return json.loads(found[0].proto.json)


def states(test: AppTest) -> dict[str, str]:
    return {rung: state for state, rung in ROW.findall(ladder(test))}


# --- in the app ---


def test_the_first_lost_object_is_asked_about_and_the_button_brings_it_back() -> None:
    app = open_app("why")
    assert headline(app) == "Why was #3 ring lost?"
    assert states(app)["BOX_NMS"] == "lost" and states(app)["ROI_CLASS"] == "passed"
    assert states(app)["BOX_LIMIT"] == "beyond"
    text = words(app)
    assert "Its best ring box" in text and "mechanism: calibration" in text
    change = re.search(r"\*\*Smallest change:\*\* Box NMS IoU 0.5 → ([\d.]+)", text)
    assert change is not None and "Brings #3 back (verified by replay)" in text
    app.text_input(key="why.price.data").set_value("shapes:2:1")
    app.button(key="why.price.start").click()
    calm(app.run())
    assert "On 2 images of shapes:2:1 (" in words(app)
    app.button(key="why.apply").click()
    calm(app.run())
    assert slider(app, "box_nms").value == pytest.approx(float(change[1]), abs=1e-6)
    assert float(app.query_params["box_nms"]) == slider(app, "box_nms").value, "to the last digit"
    assert headline(app) == "Why was #3 ring found?", "the question stays"
    assert "found: #3 ring" in str(app.selectbox[0].key), "a field that stays keeps the entry it showed"
    assert set(states(app).values()) == {"passed"} and 'class="ladder found"' in ladder(app)
    assert not [button for button in app.button if button.key == "why.apply"]


def test_a_found_object_and_a_false_positive_are_asked_about_from_the_list() -> None:
    app = open_app("why")
    entries = app.selectbox[0].options
    assert entries[0] == "lost: #3 ring" and entries[1].startswith("false positive: ring 0.9")
    assert entries[2:] == [
        "found: #0 circle",
        "found: #1 ring",
        "found: #2 cross",
        "found: #4 star",
        "found: #5 ring",
    ]
    app.selectbox[0].set_value(app.selectbox[0].proto.options[1])
    calm(app.run())
    assert re.fullmatch(r"Why was ring 0\.9\d detected\?", headline(app))
    assert app.query_params["select"].startswith("detection.")
    assert "cause: other class" in words(app) and 'aria-label="Cause: other class"' in ladder(app)
    detections = int(counts(app)["detections"])
    app.button(key="why.apply").click()
    calm(app.run())
    assert int(counts(app)["detections"]) < detections
    found = open_app("why", select=str(Selected("object", 4)))
    assert headline(found) == "Why was #4 star found?" and "The steepest rung was" in words(found)


def test_a_detection_that_is_no_longer_kept_is_told_before_something_else_is_answered() -> None:
    app = open_app("why", select="detection.100.2")
    assert "The triangle box of anchor 100 is not among the detections under these thresholds" in words(app)
    assert "about #3 ring instead" in words(app) and headline(app) == "Why was #3 ring lost?"
    kept = open_app("why", select=str(Selected("object", 3)))
    assert "instead" not in words(kept)


def test_an_object_whose_refined_box_is_off_has_a_lineage() -> None:
    app = open_app("why", rpn_nms="0.2", select=str(Selected("object", 0)))
    assert states(app)["ROI_BOX"] == "lost" and "**Class slot**" in words(app)
    assert "nothing to follow back" not in words(app)


def test_a_box_of_the_link_is_asked_about_and_its_class_can_be_changed() -> None:
    app = open_app("why", ask="10,10,40,40,2")
    name = app.selectbox[1].options[1]
    assert re.fullmatch(rf"Why is an? {name} not found here\?", headline(app))
    assert app.selectbox[0].options[0] == f"drawn box: {name}"
    assert "lost" in states(app).values()
    app.selectbox[1].set_value(3)
    calm(app.run())
    assert app.query_params["ask"] == "10,10,40,40,3"
    assert app.selectbox[1].options[2] in headline(app)
    app.selectbox[0].set_value("object.3")
    calm(app.run())
    assert headline(app) == "Why was #3 ring lost?"
    assert app.selectbox[0].options[0].startswith("drawn box: "), "the box is not forgotten"


@pytest.mark.parametrize("ask", ["400,400,420,420,1", "10,10,40,40,99", "10,10,10,40,1", "a,b"])
def test_a_box_that_this_image_cannot_have_is_left_out_with_a_sentence(ask: str) -> None:
    app = open_app("why", ask=ask)
    assert "The link was followed without one part" in said(app)
    assert headline(app) == "Why was #3 ring lost?"
    assert "ask" not in app.query_params


def test_no_detection_at_all_is_still_explained() -> None:
    app = move(open_app("why"), box_score=1.0)
    assert counts(app)["detections"] == "0"
    assert headline(app).startswith("Why was #0 ") and states(app)["ROI_CLASS"] == "lost"
    assert "Smallest change:** Score 1 → " in words(app)
    empty = move(open_app("why"), rpn_score=1.0)
    assert states(empty)["RPN_SCORE"] == "lost"


# --- on other images ---


@pytest.mark.parametrize("truth", ["unknown", "none"])
def test_without_objects_the_page_tells_how_to_ask(truth: str) -> None:
    test = open_page(truth, box_score=1.0)
    assert headline(test) == "Ask about a place"
    assert "draw a box" in words(test).lower()
    assert [box.label for box in test.selectbox] == ["Class of a drawn box"]


def test_a_false_positive_is_asked_about_where_no_object_is() -> None:
    test = open_page("none", box_score=0.05)
    assert headline(test).endswith("detected?")


def test_a_drawn_box_is_answered_without_annotations() -> None:
    asked = str(Asked((20.0, 20.0, 60.0, 60.0), 2))
    test = AppTest.from_function(page, default_timeout=PATIENCE, kwargs={"truth": "unknown", "knobs": {}})
    test.query_params["ask"] = asked
    test.run()
    assert not test.exception, test.exception
    assert headline(test).endswith("found here?") and len(states(test)) == 11
    price = re.search(r"Price on this image: ([^\n]*)", words(test))
    assert price is None or "false" not in price[1], "nobody knows what is true here"
