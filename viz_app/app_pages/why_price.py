"""The price of a change over a whole data set, worked out when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from viz_app import resources, state
from viz_app.app_pages.dataset_choice import DEFAULT_DATA, survey
from viz_app.app_pages.fragments import fragment
from viz_app.figures.remedy_words import dataset_price_words
from viz_app.jobs.readable import WHERE_READ, named_source
from viz_app.problems import as_sentence, literal

if TYPE_CHECKING:
    from detector.explaining.remedies import Remedy
    from viz_app.scene import Scene

_SOURCE, _KNOWN = "why.price.data", "why.price"


def price_on_request(scene: Scene, remedy: Remedy) -> None:
    """A folded form that names a data set, and the price on it once it was worked out."""
    if scene.model is None:
        return  # other images need the model itself
    with st.popover("Price on a data set", type="tertiary", icon=":material/dataset:"):
        _form(scene, remedy)


# A fragment of its own: the work leaves the rest of the page as it is.
@fragment
def _form(scene: Scene, remedy: Remedy) -> None:
    state.seed_widget(_SOURCE, survey().data or DEFAULT_DATA)
    source = st.text_input(
        "Data set",
        key=_SOURCE,
        placeholder="/folder/with/images, /x/annotations.json or shapes:100:3",
        help=WHERE_READ,
    ).strip()
    source = named_source(source)
    count = st.number_input("Images at most", 1, 100_000, 100, key="why.price.images")
    asked = (source, int(count), scene.replay.thresholds, remedy.thresholds, scene.trace.detector)
    pressed = st.button("Work out", key="why.price.start", disabled=not source)
    known = state.remembered(_KNOWN, None)
    place = st.empty()
    if pressed:
        known = asked, _work_out(scene, remedy, source, int(count))
        state.remember(_KNOWN, known)
    if known is not None and known[0] == asked:
        place.markdown(literal(known[1]))


def _work_out(scene: Scene, remedy: Remedy, source: str, count: int) -> str:
    """The price as a sentence, or the sentence that says why there is none; any click ends the work."""
    # Imported when it is asked for: judging brings what this page does without.
    from detector.judging.price_on import DatasetPrice, prices_on

    bar, price = st.progress(0.0, text="Opening the data set …"), DatasetPrice()
    try:
        dataset = resources.dataset(source)
        total = min(count, len(dataset))
        found = prices_on(scene.detector, dataset, scene.replay.thresholds, remedy.thresholds)
        for done in range(1, total + 1):
            price = next(found)
            bar.progress(done / total, text=f"{done:,} of {total:,} images")
    except (OSError, ValueError, TypeError) as problem:
        return as_sentence(problem)
    finally:
        bar.empty()
    return dataset_price_words(price, source)
