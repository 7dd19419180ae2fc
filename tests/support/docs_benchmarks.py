"""docs/benchmarks.md from benchmarks/results/*.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_HEAD = """# Benchmarks

`make bench` measures; each benchmark prints one table and writes it to `benchmarks/results/`. Every figure is a
ratio of two things done in turn in one process (A B B A ...), so that a noisy machine disturbs both alike; times
are medians. A *bar* is what the project promises itself. A bar that is missed stays in the table. A *peer* is
another tool that does the same or nearly so; it has no bar.

The tables are written from those files by `PYTHONPATH=tests python -m support.docs`; a test compares. Absolute
times are of the machine that is named, and will be others on yours.
"""
_GROWTH = """An exponent of 1 means: twice as much to do takes twice as long. It is the slope of a straight line
through the points, both axes logarithmic, by least squares: once through all of them, and once through the upper
half of the range, where what does not grow hides least of what does. What is above 1.1 there says why.
"""
_LAST = """## A whole round

[demonstration.md](demonstration.md) is a benchmark, too: bad anchors, the finding, the remedy, the better model,
with the gain in AP and its bar.
"""
_UNITS = {"s": (1e3, "ms"), "B": (1 / 2**20, "MiB")}
LINEAR = 1.1


def benchmarks(folder: Path) -> str:
    """All of docs/benchmarks.md.

    Args:
        folder: with the results.
    """
    results = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    compared = [_compared(one) for one in results if "measures" in one]
    grown = [_grown(one) for one in results if "curves" in one]
    return "\n".join([_HEAD, *compared, *grown, _LAST])


def _compared(result: dict[str, Any]) -> str:
    rows = [_row(one) for one in result["measures"]]
    head = ["| what | ours | beside it | ratio | bar | |", "|---|---|---|---|---|---|"]
    notes = [f"\n{note}" for note in result["notes"]]
    return "\n".join([*_heading(result), *head, *rows, *notes, ""])


def _row(one: dict[str, Any]) -> str:
    factor, unit = _UNITS[one["unit"]]
    ours, peer = (f"{one[name] * factor:,.2f} {unit}" for name in ("ours", "peer"))
    bar, held = "", "peer"
    if one["bar"] is not None:
        bar = f"{'≤' if one['at_most'] else '≥'} {one['bar']:g}"
        held = "holds" if one["holds"] else "**missed**"
    return f"| {_cell(one['name'])} | {ours} | {peer} | {one['ratio']:.3f} | {bar} | {held} |"


def _grown(result: dict[str, Any]) -> str:
    head = [
        "| what | against | measured | exponent | upper half | why |",
        "|---|---|---|---|---|---|",
    ]
    rows = [_curve(one) for one in result["curves"]]
    return "\n".join([*_heading(result), _GROWTH, *head, *rows, ""])


def _curve(one: dict[str, Any]) -> str:
    steep = one["upper_exponent"] > LINEAR
    why = one["note"] or ("**worse than linear, not explained**" if steep else "")
    upper = f"**{one['upper_exponent']:.2f}**" if steep else f"{one['upper_exponent']:.2f}"
    cells = (one["what"], one["against"], _points(one), f"{one['exponent']:.2f}", upper, _cell(why))
    return f"| {' | '.join(cells)} |"


def _points(one: dict[str, Any]) -> str:
    """Three digits of each value, whole numbers where there are more."""
    factor, unit = _UNITS[one["unit"]]
    values = (value * factor for value in one["y"])
    shown = (f"{value:,.0f}" if value >= 100 else f"{value:.3g}" for value in values)
    return ", ".join(f"{x:,.6g}: {y}" for x, y in zip(one["x"], shown, strict=True)) + f" {unit}"


def _heading(result: dict[str, Any]) -> list[str]:
    title, _, about = (_capital(part.strip()) for part in result["title"].partition(":"))
    return [f"## {title}\n", f"{about}.", f"{_machine(result['machine'])}\n"]


def _machine(one: dict[str, Any]) -> str:
    """Cores, processor, device and versions on one line."""
    device = "without a GPU" if one["device"] == "cpu" else f"on {one['device']}"
    processor = one.get("processor") or one["machine"]
    versions = ", ".join(f"{name} {one[name].split('+')[0]}" for name in ("torch", "torchvision"))
    return f"{one['cores']} cores, {processor}, {device}; Python {one['python']}, {versions}."


def _cell(text: str) -> str:
    return " ".join(text.replace("|", r"\|").split())


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
