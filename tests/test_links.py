"""Links: whatever is chosen comes back, and whatever else comes in does no harm."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector import Thresholds
from viz_app.links import MOST_CANDIDATES, Asked, Choice, Selected, from_query, to_query

KNOBS = {field.name: field.default for field in fields(Thresholds)}
NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=0x24F), min_size=1, max_size=30).filter(
    str.isprintable
)


def knob_values(name: str) -> st.SearchStrategy[float]:
    return st.integers(1, MOST_CANDIDATES) if isinstance(KNOBS[name], int) else st.floats(0, 1)


def selections() -> st.SearchStrategy[Selected]:
    number = st.integers(0, 10**6)
    return st.builds(Selected, st.sampled_from(["object", "anchor", "cell"]), number) | st.builds(
        Selected, st.just("detection"), number, number
    )


def drawn_boxes() -> st.SearchStrategy[Asked]:
    place, side = st.integers(-100, 10**5), st.integers(1, 10**5)
    return st.builds(
        lambda x, y, w, h, label: Asked((x / 100, y / 100, (x + w) / 100, (y + h) / 100), label),
        place, place, side, side, st.integers(1, 90),
    )  # fmt: skip


@st.composite
def choices(draw: st.DrawFn) -> Choice:
    changed = sorted(draw(st.sets(st.sampled_from(sorted(KNOBS)))))
    return Choice(
        model=draw(NAMES),
        weights=draw(st.sampled_from([None, "DEFAULT"])),
        image=draw(st.none() | NAMES),
        thresholds=tuple((name, draw(knob_values(name))) for name in changed),
        selected=draw(st.none() | selections()),
        asked=draw(st.none() | drawn_boxes()),
    )


@given(choices())
def test_a_choice_survives_its_link(choice: Choice) -> None:
    assert from_query(to_query(choice)) == (choice, ())


@given(
    st.dictionaries(
        st.sampled_from([*KNOBS, "model", "image", "weights", "select", "ask"]) | st.text(), st.text()
    )
)
def test_any_link_gives_a_choice_that_can_be_used(query: dict[str, str]) -> None:
    choice, ignored = from_query(query)
    used = Thresholds().replace(**dict(choice.thresholds))
    assert used.rpn_pre_nms_top_n <= MOST_CANDIDATES
    kept = [name for name in to_query(choice) if name in query]
    # A link always names a model: the bundled one where the link's own was refused.
    refused_model = query.get("model", choice.model) != choice.model
    assert len(kept) - refused_model + len(ignored) == len(query)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("box_score", "nan"), ("box_score", "1.5"), ("box_score", "-0.1"), ("box_score", "high"),
        ("box_limit", "0"), ("box_limit", "2.5"), ("rpn_pre_nms_top_n", "99999999"), ("select", "object.-1"),
        ("select", "one"), ("select", "object.1.2"), ("select", "detection.3"), ("select", "anchor.x"),
        ("weights", "IMAGENET"), ("model", ""), ("image", "a\nb"), ("shell", "rm"),
        ("model", "x" * 1000), ("ask", "1,2,3,4"), ("ask", "1,2,1,4,1"), ("ask", "1,2,3,4,0"),
        ("ask", "1,2,nan,4,1"), ("ask", "0,0,1e9,4,1"), ("ask", "a,b,c,d,e"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_and_left_out(name: str, text: str) -> None:
    choice, ignored = from_query({name: text})
    assert choice == Choice()
    assert len(ignored) == 1
    assert name in ignored[0]
