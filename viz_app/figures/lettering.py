"""Text in pictures that are drawn as pixels, in the font that OpenCV brings along (Rubik)."""

from __future__ import annotations

import cv2
import numpy as np

from viz_app.figures.palette import rgba

INK = "#1a2230"
_REGULAR, _BOLD = 400, 600


class Lettering:
    """Writes text of one size.

    Args:
        size: of the letters, px.
        bold: heavier strokes, for titles.
    """

    def __init__(self, size: int, *, bold: bool = False) -> None:
        self.line = round(size * 1.5)
        self._size, self._weight = size, _BOLD if bold else _REGULAR
        self._font = cv2.FontFace("sans")

    def size(self, text: str) -> tuple[int, int]:
        """Width of a text and height of a line of it, px."""
        _, _, width, _ = cv2.getTextSize((0, 0), _plain(text), (0, 0), self._font, self._size, self._weight)
        return int(width), round(self._size * 1.3)

    def write(self, drawing: np.ndarray, text: str, place: tuple[int, int], color: str = INK) -> None:
        """Write one line of text into uint8 [h, w, 3], in place; `place` is its upper left corner (x, y)."""
        x, y = place
        foot = (int(x), int(y + round(self._size * 1.0)))
        cv2.putText(drawing, _plain(text), foot, rgba(color)[0], self._font, self._size, self._weight)

    def wrapped(self, text: str, width: int) -> list[str]:
        """The text in lines of at most `width` px; a longer word is cut."""
        lines: list[str] = []
        for word in _plain(text).split():
            joined = f"{lines[-1]} {word}" if lines else word
            if lines and self.size(joined)[0] <= width:
                lines[-1] = joined
                continue
            while len(word) > 1 and self.size(word)[0] > width:
                fits = next((n for n in range(len(word) - 1, 1, -1) if self.size(word[:n])[0] <= width), 1)
                lines.append(word[:fits])
                word = word[fits:]
            lines.append(word)
        return lines


def _plain(text: str) -> str:
    """Without line breaks and control characters, which have no shape."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
