"""The ladder as HTML: a row for each rung, and the one where it ends opened with its numbers and pictures.

Colours come from the theme's CSS variables where there are any (`ladder.css`); every text is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from viz_app.figures.evidence_facts import Fact
    from viz_app.figures.evidence_picture import Tile
    from viz_app.figures.ladder import Row

CSS = Path(__file__).with_name("ladder.css").read_text(encoding="utf-8")


def ladder_html(rows: Sequence[Row], facts: Sequence[Fact] = (), tiles: Sequence[Tile] = ()) -> str:
    """Draw a ladder.

    Args:
        rows: of `ladder_rows`.
        facts: numbers of the rung where it ends.
        tiles: pictures of the boxes concerned; below the last row where no rung lost the object.
    """
    opened = _opened(facts, tiles)
    lost = any(row.state == "lost" for row in rows)
    parts = [_row(row, opened if row.state == "lost" else "") for row in rows]
    after = "" if lost else opened
    ending = "found" if not lost else "lost"
    return f'<section class="ladder {ending}" aria-label="Ladder"><ol>{"".join(parts)}</ol>{after}</section>'


def cause_html(cause: str, tiles: Sequence[Tile]) -> str:
    """The boxes that a false positive is about, in the frame of an opened rung.

    Args:
        cause: such as `poor box`.
        tiles: the detection first.
    """
    return f'<section class="ladder cause" aria-label="Cause: {escape(cause)}">{_opened((), tiles)}</section>'


def _row(row: Row, opened: str) -> str:
    said = {"passed": "passed", "lost": "lost here", "beyond": "not reached"}[row.state]
    label = f"{row.name}: {said}{'' if not row.words else f', {row.words}'}"
    bar = f'<span class="bar" style="--share:{row.share:.4f}"></span>'
    line = (
        f'<div class="row" title="{escape(row.asks)}"><span class="name">{escape(row.name)}</span>'
        f'<span class="track">{bar}<span class="words">{escape(row.words)}</span></span></div>'
    )
    current = ' aria-current="step"' if row.state == "lost" else ""
    attributes = f'class="{row.state}" data-rung="{row.rung.name}" aria-label="{escape(label)}"{current}'
    return f"<li {attributes}>{line}{opened}</li>"


def _opened(facts: Sequence[Fact], tiles: Sequence[Tile]) -> str:
    if not facts and not tiles:
        return ""
    pictures = "".join(
        f'<figure style="--own:{tile.color}"><img alt="{escape(tile.caption)}" src="{tile.uri}">'
        f"<figcaption>{escape(tile.caption)}</figcaption></figure>"
        for tile in tiles
    )
    numbers = "".join(
        f"<div><dt>{escape(fact.name)}</dt><dd>{escape(fact.value)}</dd></div>" for fact in facts
    )
    shown = f'<div class="tiles">{pictures}</div>' if pictures else ""
    listed = f"<dl>{numbers}</dl>" if numbers else ""
    return f'<div class="opened">{shown}{listed}</div>'
