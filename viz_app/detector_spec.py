"""Which detector is looked at: a name, a file, or a checkpoint that was uploaded, with what was said of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from detector.models.zoo import detector_names
from viz_app.jobs.quotas import check_workspace
from viz_app.jobs.readable import NotReadable, readable
from viz_app.jobs.workspace import checkpoint_path, keep_checkpoint
from viz_app.sidebar.file_words import FileWords


@dataclass(frozen=True, slots=True)
class DetectorSpec:
    """A detector that can be looked at.

    Args:
        source: what `load_detector` takes, or the file name of an uploaded checkpoint.
        weights: `DEFAULT`, or None.
        data: bytes of an uploaded checkpoint.
        sha256: their digest.
        words: what was said of a checkpoint that does not say it itself.
    """

    source: str
    weights: str | None = None
    data: bytes | None = field(default=None, repr=False, compare=False)
    sha256: str = ""
    words: FileWords = field(default_factory=FileWords)

    @property
    def key(self) -> str:
        """Tells one content from another."""
        said = self.words.said()
        return "|".join((self.file, self.weights or "", repr(said) if said else ""))

    @property
    def file(self) -> str:
        """The file, whatever was said of it; one that was written again is another."""
        return f"{self.source}|{self.sha256 or self._written()}"

    @property
    def is_checkpoint(self) -> bool:
        """Whether it is a file that somebody brought."""
        return self.data is not None or self.source not in detector_names()

    def _written(self) -> str:
        try:
            if not readable(self.source).is_file():
                return ""
        except NotReadable:
            return ""
        status = Path(self.source).stat()
        return f"{status.st_mtime_ns}|{status.st_size}"

    @property
    def kept_source(self) -> str:
        """As `source`, for a process that cannot see the session: an uploaded checkpoint is a file, see `keep`."""
        return str(self._kept_path()) if self.data is not None else self.source

    def keep(self) -> None:
        """Make an uploaded checkpoint the file that `kept_source` names.

        Raises:
            ValueError: the workspace has no room for more uploads.
            OSError: it cannot be written.
        """
        if self.data is not None:
            if not self._kept_path().is_file():
                check_workspace(len(self.data))
            keep_checkpoint(self._kept_path(), self.data)

    def _kept_path(self) -> Path:
        return checkpoint_path(self.source, self.sha256)
