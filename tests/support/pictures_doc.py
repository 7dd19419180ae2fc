"""Writes docs/pictures.md and its thumbnails: `PYTHONPATH=tests python -m support.pictures_doc`."""

from __future__ import annotations

from pathlib import Path

from viz_app.figures.catalogue import CATALOGUE, pixels_of, thumbnail
from viz_app.figures.catalogue_parts import Material

DOCS = Path(__file__).parents[2] / "docs"
FILE, THUMBNAILS = DOCS / "pictures.md", DOCS / "thumbnails"
_HEAD = """# Every picture of the inspection pages

Which page and view shows what, and the function that draws it from a trace. Written from
`viz_app/figures/catalogue.py` by `PYTHONPATH=tests python -m support.pictures_doc`. Thumbnails are of a bundled
scene; charts and tables have none, for a browser draws them.

| id | shows | page | view | function | |
|---|---|---|---|---|---|
"""


def table_rows(thumbnails: set[str]) -> list[str]:
    """One line of Markdown for each picture."""
    rows = []
    for entry in CATALOGUE.values():
        image = f"![{entry.id}](thumbnails/{entry.id}.jpg)" if entry.id in thumbnails else ""
        function = entry.function.removeprefix("viz_app.figures.")
        rows.append(f"| {entry.id} | {entry.shows} | {entry.page} | {entry.view} | `{function}` | {image} |")
    return rows


def document(thumbnails: set[str]) -> str:
    """The whole file."""
    return _HEAD + "\n".join(table_rows(thumbnails)) + "\n"


def write() -> None:
    """Draw every thumbnail from the first bundled scene, then the document."""
    from detector.models.zoo import load_detector
    from viz_app.scenes import bundled_scenes

    material = Material(load_detector("shapes"), bundled_scenes()[0])
    THUMBNAILS.mkdir(parents=True, exist_ok=True)
    drawn = set()
    for entry in CATALOGUE.values():
        pixels = None if entry.heads else pixels_of(entry.draw(material), material)
        if pixels is not None:
            (THUMBNAILS / f"{entry.id}.jpg").write_bytes(thumbnail(pixels))
            drawn.add(entry.id)
    FILE.write_text(document(drawn), encoding="utf-8")


if __name__ == "__main__":
    write()
