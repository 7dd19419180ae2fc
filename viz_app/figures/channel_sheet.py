"""Many channels on one sheet, as pixels, with the place of each: what is clicked on it is a channel.

Shapes: `C` channels, (h, w) cells of a map; (x, y) are pixels of the sheet.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from viz_app.figures.feature_maps import channel_energy, colorize
from viz_app.figures.palette import LIGHT_HALO, SELECTED
from viz_app.figures.picture import BoxGroup

_SIDE = 56
_COLUMNS = (12, 20)
_GAP = 2
_GROUND = (138, 143, 152)  # between a white page and a dark one


@dataclass(frozen=True, slots=True, eq=False)
class ChannelSheet:
    """Some channels of one map, row by row, each in its own range of values.

    Args:
        maps: float [C, h, w].
        channels: which are shown.
    """

    @property
    def columns(self) -> int:
        """How many in a row: as many as leave the fewest places empty in the last row."""
        most = min(len(self.channels), _COLUMNS[-1])
        options = [count for count in range(_COLUMNS[0], _COLUMNS[1] + 1) if count <= most] or [most]
        return min(options, key=lambda count: (-len(self.channels) % count, -count))

    maps: Tensor
    channels: tuple[int, ...]

    @property
    def tile(self) -> tuple[int, int]:
        """Height and width of one small map, px: as elongated as the map, the longer side the same for all."""
        height, width = self.maps.shape[-2:]
        scale = _SIDE / max(height, width)
        return max(round(height * scale), 1), max(round(width * scale), 1)

    def pixels(self) -> Tensor:
        """The sheet, uint8 [3, H, W]."""
        high, wide = self.tile
        columns = self.columns
        rows = -(-len(self.channels) // columns)
        sheet = np.empty((rows * (high + _GAP) - _GAP, columns * (wide + _GAP) - _GAP, 3), dtype=np.uint8)
        sheet[:] = _GROUND
        for channel, (x1, y1, x2, y2) in zip(self.channels, self.boxes().int().tolist(), strict=True):
            small = colorize(self.maps[channel])
            sheet[y1:y2, x1:x2] = cv2.resize(small, (wide, high), interpolation=cv2.INTER_NEAREST)
        return torch.from_numpy(sheet).permute(2, 0, 1).contiguous()

    def boxes(self) -> Tensor:
        """Where each channel is on the sheet, float [n, 4], xyxy."""
        high, wide = self.tile
        place = torch.arange(len(self.channels))
        x = place % self.columns * (wide + _GAP)
        y = place // self.columns * (high + _GAP)
        return torch.stack((x, y, x + wide, y + high), dim=1).float()

    def channel_at(self, x: float, y: float) -> int | None:
        """The channel whose small map, or the gap after it, holds a point; None beside the sheet."""
        high, wide = self.tile
        row, column = int(y // (high + _GAP)), int(x // (wide + _GAP))
        place = row * self.columns + column
        inside = row >= 0 and 0 <= column < self.columns and place < len(self.channels)
        return self.channels[place] if inside else None

    def groups(self, chosen: int | None) -> list[BoxGroup]:
        """The chosen channel framed, if it is on the sheet."""
        if chosen not in self.channels:
            return []
        box = self.boxes()[self.channels.index(chosen)][None]
        energy = float(channel_energy(self.maps[chosen][None]))
        hover = (f"channel {chosen}<br>energy {energy:.3g}",)
        return [
            BoxGroup(box, f"channel {chosen}", SELECTED, width=3, halo=LIGHT_HALO, counted=False, hover=hover)
        ]
