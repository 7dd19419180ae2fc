"""Whether a PNG file holds all of its rows.

Pillow paints the rows black that a PNG promises and does not hold, and torchvision's decoder crashes on
them. So the compressed data is measured before it is decoded. Specification: PNG, sections 4.5 and 8.
"""

from __future__ import annotations

import struct
import zlib
from typing import IO

_SIGNATURE_SIZE = 8
_BLOCK = 1 << 20
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# First column, first row, column step and row step of each Adam7 pass.
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def holds_all_rows(file: IO[bytes]) -> bool:
    """True when the data of a PNG file inflates to as many bytes as its header asks for.

    Args:
        file: an open PNG file; its position is left as it was.
    """
    position = file.tell()
    try:
        file.seek(_SIGNATURE_SIZE)
        return _measure(file)
    except (struct.error, zlib.error, KeyError):
        return False
    finally:
        file.seek(position)


def _measure(file: IO[bytes]) -> bool:
    missing, inflater = 0, zlib.decompressobj()
    while header := file.read(8):
        length, kind = struct.unpack(">I4s", header)
        if kind == b"IHDR":
            missing = _expected_bytes(*struct.unpack(">IIBBBBB", file.read(length)))
        elif kind == b"IDAT":
            missing -= _inflated_chunk(inflater, file, length, missing)
        else:
            file.seek(length, 1)
        if kind == b"IEND" or missing <= 0:
            break
        file.seek(4, 1)
    return missing <= 0


def _inflated_chunk(inflater: zlib._Decompress, file: IO[bytes], length: int, limit: int) -> int:
    """How many bytes a chunk inflates to; it is read in pieces, for its length may be a lie."""
    count = 0
    while length > 0 and (data := file.read(min(length, _BLOCK))):
        count += _inflated_bytes(inflater, data, limit - count)
        length -= len(data)
    return count


def _inflated_bytes(inflater: zlib._Decompress, data: bytes, limit: int) -> int:
    """How many bytes a piece of the data inflates to; stops counting at `limit`."""
    count = 0
    while data and count < limit and not inflater.eof:
        count += len(inflater.decompress(data, _BLOCK))
        data = inflater.unconsumed_tail
    return count


def _expected_bytes(
    width: int, height: int, depth: int, colour: int, compression: int, filtering: int, interlaced: int
) -> int:
    """Size of the filtered rows, each with the byte that names its filter."""
    bits = depth * _CHANNELS[colour]
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    total = 0
    for column, row, across, down in passes:
        columns, rows = -(-(width - column) // across), -(-(height - row) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + -(-columns * bits // 8))
    return total
