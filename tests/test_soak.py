"""The soak: bounded in count and time, this machine only, and it speaks as a page does."""

import random

import pytest
from support.asynchronous import finished

from benchmarks import soak
from benchmarks.soak_person import Record, _act, _timed
from benchmarks.soak_watch import Sample, level, slope
from benchmarks.streamlit_client import Session


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--sessions", "51"], "51 sessions: expected 1 to 50"),
        (["--sessions", "0"], "0 sessions"),
        (["--seconds", "1801"], "1801 seconds: expected 1 to 1800"),
        (["--seconds", "0"], "0 seconds"),
    ],
)
def test_nobody_can_ask_for_more(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert soak.main(arguments) == 2
    assert capsys.readouterr().err.startswith(f"soak: {said}")


@pytest.mark.parametrize("url", ["http://192.0.2.7:8501", "http://0.0.0.0:8501", "http://[2001:db8::1]:8501"])
def test_no_other_machine_is_asked(url: str) -> None:
    with pytest.raises(ValueError, match="only this one is asked"):
        Session(url)


def test_the_level_is_the_last_median_and_the_slope_of_the_second_half() -> None:
    samples = [
        Sample(float(second), 900.0 if second < 50 else 900.0 + second, 10, 7) for second in range(120)
    ]
    samples[-1] = Sample(119.0, 5000.0, 99, 99)
    assert (level(samples).memory, level(samples).files, level(samples).threads) == (1017.0, 10, 7)
    assert slope(samples[:-1]) == pytest.approx(60.0)
    assert slope(samples[:1]) == 0.0


def test_numbers_are_by_action() -> None:
    record = Record({"open": [0.1, 0.3, 0.2]}, [("open", "x"), ("page", "y")])
    assert soak._numbers(record, "open") == (3, pytest.approx(200), pytest.approx(300), 1)
    assert soak._numbers(record, "page") == (0, 0.0, 0.0, 1)


@pytest.mark.browser
def test_a_person_sees_what_a_page_shows(app_url: str) -> None:
    """The real server: a run is waited for, a threshold reaches the address, a page follows, errors are counted."""

    async def visit(record: Record) -> tuple[list[str], str]:
        async with Session(app_url) as session:
            await _timed("open", session, record, session.open)
            pages = list(session.pages)
            await _act("threshold", session, record, random.Random(1))
            query = session._query
            await _act("upload", session, record, random.Random(1))
        return pages, query

    record = Record()
    pages, query = finished(visit(record))
    assert {"rpn", "why", "train"} <= set(pages)
    assert sorted(record.taken) == ["open", "threshold", "upload"] and record.errors == []
    assert "box_nms=" in query or "box_score=" in query or "rpn_" in query
