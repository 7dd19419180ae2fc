"""Reading a Pascal VOC or YOLO folder with all its mistakes: every one becomes a finding, the rest is examined.

`VocDataset` and `YoloDataset` refuse a folder with mistakes, as readers should; the doctor looks at what is left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.data.annotated import FolderContent
from detector.judging.doctor_images import look_at_file
from detector.judging.doctor_survey import Entries, Looked, SeenImage, Survey
from detector.judging.findings import Finding, Place, Severity, finding_at

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from detector.data.annotated import AnnotatedFiles
    from detector.data.mistakes import Mistake


def content_of(dataset: AnnotatedFiles) -> FolderContent:
    """An opened data set as what was read for it; such a one has no mistakes."""
    return FolderContent(dataset.root, dataset.categories, dataset.images, ())


def survey_files(
    content: FolderContent,
    *,
    limit: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Survey:
    """Look at every image of a folder whose annotations were read.

    Args:
        content: what was read, mistakes included.
        limit: at most so many images, the first ones.
        progress: told images so far and images in all.
    """
    chosen = content.images[:limit]
    seen, entries, unreadable = [], Entries.none(), []
    for index, image in enumerate(chosen):
        looked = _look(image.path, unreadable)
        seen.append(SeenImage(image.path.name, image.size, looked))
        for thing in image.objects:
            entries.add(index, list(thing.box), thing.label, thing.id, thing.ignored)
        if progress is not None:
            progress(index + 1, len(chosen))
    numbers, labels, ids, image_of, crowd = entries.tensors()
    names = dict(enumerate(content.categories[1:], 1)) or None
    findings = (*_mistaken(content.mistakes), _unreadable(unreadable))
    return Survey(
        content.root.absolute().name, tuple(seen), numbers, "xyxy", labels, ids, image_of, crowd, names,
        content.categories if names else None, tuple(f for f in findings if f is not None),
        len(chosen) == len(content.images),
    )  # fmt: skip


def _look(path: Path, unreadable: list[tuple[str, Place]]) -> Looked | None:
    try:
        return look_at_file(path)
    except (ValueError, OSError) as problem:
        sentence = str(problem).removeprefix(f"{path}: ")
        unreadable.append((f"{path.name} cannot be read: {sentence}", Place(path.name)))
        return None


def _mistaken(mistakes: tuple[Mistake, ...]) -> tuple[Finding | None, Finding | None]:
    """One finding for entries that cannot be used, one for files."""
    return (
        _finding(
            "annotation_entry", [m for m in mistakes if m.place is not None],
            "Correct these entries, or remove them; nothing opens the data set before.",
        ),
        _finding(
            "annotation_file", [m for m in mistakes if m.place is None],
            "Correct these files, add what is missing, or remove them; nothing opens the data set before.",
        ),
    )  # fmt: skip


def _finding(check: str, mistakes: list[Mistake], remedy: str) -> Finding | None:
    more = f" ({len(mistakes)} in all)" if len(mistakes) > 1 else ""
    message = f"{mistakes[0]}{more}" if mistakes else ""
    places = [Place(mistake.image or mistake.file, mistake.place) for mistake in mistakes]
    return finding_at(Severity.ERROR, check, message, remedy, places)


def _unreadable(problems: list[tuple[str, Place]]) -> Finding | None:
    more = f" ({len(problems)} in all)" if len(problems) > 1 else ""
    return finding_at(
        Severity.ERROR, "image_unreadable", problems[0][0] + more if problems else "",
        "Save the image again from its source, or remove it with its annotations.",
        [place for _, place in problems],
    )  # fmt: skip
