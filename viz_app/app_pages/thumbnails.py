"""Small pictures on a page, sent as JPEG: Streamlit's own PNG of one takes longer than drawing it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st
import torch

from viz_app.figures.picture import jpeg_bytes

if TYPE_CHECKING:
    import numpy as np


def show_thumbnail(pixels: np.ndarray) -> None:
    """A picture, uint8 RGB [h, w, 3], as wide as its column."""
    st.image(jpeg_bytes(torch.from_numpy(pixels).permute(2, 0, 1)), width="stretch")
