"""What a page shows as files to take away: a picture as PNG or as a web page, a table as CSV, a trace."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from viz_app.figures.names_as_text import names_as_text
from viz_app.figures.picture import CONFIG, BoxGroup
from viz_app.figures.policy import policy_meta, scripts_in
from viz_app.figures.sheet import Panel, Sheet, draw_sheet, sheet_html

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from torch import Tensor

    from detector.tracing.trace import Trace

_CHART = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">{policy}<meta name="viewport" content="width=device-width">
<title>{title}</title><style>
html {{ height: 100%; color-scheme: light; }}
body {{ box-sizing: border-box; display: flex; flex-direction: column; height: 100%; max-width: 60rem;
  margin: 0 auto; padding: 1.5rem; font-family: system-ui, sans-serif; color: #1b2130; }}
h1 {{ font-size: 1.4rem; margin: 0 0 0.75rem; }} body > div {{ flex: 1; }}
</style><script>{plotly}</script></head>
<body><h1>{title}</h1>{drawn}</body></html>
"""


def picture_sheet(
    title: str, pixels: Tensor, groups: Sequence[BoxGroup], overlay: Tensor | None = None
) -> Sheet:
    """One picture with its title and legend.

    Args:
        title: above it.
        pixels: uint8 [3, H, W].
        groups: boxes, image frame.
        overlay: uint8 [h, w, 4] RGBA beneath them.
    """
    return Sheet(title, pixels, (Panel("", tuple(groups), overlay),))


def sheet_png(sheet: Sheet) -> bytes:
    """The sheet as a PNG file, drawn without a browser."""
    return cv2.imencode(".png", cv2.cvtColor(draw_sheet(sheet), cv2.COLOR_RGB2BGR))[1].tobytes()


def sheet_page(sheet: Sheet) -> bytes:
    """The sheet as an HTML file that needs no network."""
    return sheet_html(sheet).encode()


def chart_page(figure: go.Figure, title: str = "Boxscope") -> bytes:
    """A chart under its title as an HTML file that needs no network and answers the pointer."""
    from plotly.offline import get_plotlyjs

    drawn = names_as_text(figure).to_html(full_html=False, include_plotlyjs=False, config=CONFIG)
    plotly = get_plotlyjs()
    policy = policy_meta([plotly, *scripts_in(drawn)])
    return _CHART.format(policy=policy, title=escape(title), plotly=plotly, drawn=drawn).encode()


def table_csv(table: pd.DataFrame) -> bytes:
    """A table as CSV, UTF-8, with its column names and all digits."""
    return table.to_csv(index=False).encode()


def trace_bytes(trace: Trace) -> bytes:
    """A trace as the file that `Trace.save` writes."""
    with tempfile.TemporaryDirectory(prefix="boxscope-") as folder:
        path = Path(folder) / "a.trace"
        trace.save(path)
        return path.read_bytes()
