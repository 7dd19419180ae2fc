"""Drives the real app without a browser (Streamlit's AppTest) and reads what it shows."""

import json
import re
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

APP = Path(__file__).parents[2] / "viz_app" / "app.py"
PAGES = ("full_network", "backbone", "rpn", "fast_rcnn", "why")
COUNT = re.compile(r'data-stage="(\w+)".*?class="count[^"]*">([^<]*)<')


def open_app(page: str = "full_network", **query: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=300)
    for name, value in query.items():
        app.query_params[name] = value
    if page != "full_network":
        app.switch_page(f"app_pages/{page}.py")
    return calm(app.run())


def calm(app: AppTest) -> AppTest:
    """No stack trace anywhere."""
    assert [error.value for error in app.exception] == []
    return app


def strip(app: AppTest) -> str:
    found = [element for element in app.get("bidi_component") if "strip" in element.proto.id]
    assert len(found) == 1
    return json.loads(found[0].proto.json)


def counts(app: AppTest) -> dict[str, str]:
    return dict(COUNT.findall(strip(app)))


def said(app: AppTest) -> str:
    """All sentences in boxes, without Markdown's backslashes."""
    return " ".join(re.sub(r"\\(.)", r"\1", box.value) for box in (*app.error, *app.warning))


def slider(app: AppTest, field: str) -> Any:
    return next(one for one in app.sidebar.slider if str(one.key).startswith(f"{field}@"))


def move(app: AppTest, **values: float) -> AppTest:
    for field, value in values.items():
        slider(app, field).set_value(value)
    return calm(app.run())
