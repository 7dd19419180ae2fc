"""Unpacking uploaded zip files: a data set comes out whole, and nothing that could do harm comes out at all."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from support.datasets import yolo_folder

from detector.data import YoloDataset
from detector.data.unpacking import Limits, unpack_zip

Archive = zipfile.ZipFile
MIB = 1 << 20


def packed(fill: Callable[[Archive], object], path: Path, method: int = zipfile.ZIP_DEFLATED) -> Path:
    """A zip file with what `fill` puts in."""
    with zipfile.ZipFile(path, "w", method) as archive:
        fill(archive)
    return path


def names(*given: str) -> Callable[[Archive], None]:
    """Entries of these names, each with a byte in it."""

    def fill(archive: Archive) -> None:
        for name in given:
            archive.writestr(zipfile.ZipInfo(name), "" if name.endswith("/") else "x")

    return fill


def of_mode(name: str, mode: int) -> Callable[[Archive], None]:
    """An entry of a kind of its own: a link, a device."""

    def fill(archive: Archive) -> None:
        entry = zipfile.ZipInfo(name)
        entry.create_system, entry.external_attr = 3, mode << 16
        archive.writestr(entry, "/etc/passwd")

    return fill


@pytest.mark.parametrize("as_file", [True, False])
@pytest.mark.parametrize("top", ["", "my data/", "outer/inner/"])
def test_a_data_set_comes_out(tmp_path: Path, top: str, as_file: bool) -> None:
    folder = yolo_folder(tmp_path / "made")

    def fill(archive: Archive) -> None:
        archive.writestr("__MACOSX/._data.yaml", "junk")
        archive.writestr(f"{top}.DS_Store", "junk")
        for path in sorted(folder.rglob("*")):
            archive.write(path, f"{top}{path.relative_to(folder)}")

    file = packed(fill, tmp_path / "a.zip")
    into = tmp_path / "deep" / "down" / "new"
    found = unpack_zip(file if as_file else io.BytesIO(file.read_bytes()), into)
    assert found == into / top
    assert len(YoloDataset(found)) == 3
    written = sorted(path.relative_to(found) for path in found.rglob("*"))
    assert written == sorted(path.relative_to(folder) for path in folder.rglob("*"))
    assert all(
        (found / p).read_bytes() == (folder / p).read_bytes() for p in written if (found / p).is_file()
    )
    assert [path.name for path in into.parent.iterdir()] == ["new"], "no temporary folder stays"


def test_an_archive_in_an_archive_is_a_file(tmp_path: Path) -> None:
    inner = packed(names("../evil"), tmp_path / "inner.zip").read_bytes()
    file = packed(lambda archive: archive.writestr("inner.zip", inner), tmp_path / "a.zip")
    found = unpack_zip(file, tmp_path / "new")
    assert [path.name for path in found.iterdir()] == ["inner.zip"]


def test_no_file_can_be_run(tmp_path: Path) -> None:
    file = packed(of_mode("run.sh", stat.S_IFREG | 0o4777), tmp_path / "a.zip")
    assert not (unpack_zip(file, tmp_path / "new") / "run.sh").stat().st_mode & 0o7111


HARM: dict[str, tuple[Callable[[Archive], object], str]] = {
    "up": (names("good", "../evil"), r"'\.\./evil' in the zip file leads out"),
    "up within": (names("a/../../evil"), "leads out"),
    "absolute": (names("/evil"), "leads out"),
    "drive": (names("C:/evil"), "leads out"),
    "backslashes": (names("..\\evil"), "leads out"),
    "server": (names("\\\\host\\share\\evil"), "leads out"),
    "empty name": (names(""), "leads out"),
    "link": (of_mode("link", stat.S_IFLNK | 0o777), "'link' in the zip file is a link"),
    "link that is a folder": (of_mode("link/", stat.S_IFLNK | 0o777), "is a link"),
    "device": (of_mode("null", stat.S_IFCHR | 0o666), "is a special file"),
    "pipe": (of_mode("pipe", stat.S_IFIFO | 0o666), "is a special file"),
    "case": (names("images/a.png", "images/A.png"), "'images/A.png' .* and 'images/a.png' are one name"),
    "unicode": (names("caf\u00e9", "cafe\u0301"), "are one name on many disks"),
    "file and folder": (names("a", "a/b"), "'a/b' in the zip file lies in a folder that is a file"),
    "long name": (names("x" * 300), "too long a name"),
    "deep": (names("a/" * 100 + "x"), "too long a name"),
    "nothing": (lambda archive: None, "holds no files"),
    "folders only": (names("a/", "b/"), "holds no files"),
}


@pytest.mark.parametrize("name", HARM)
def test_harm_is_refused_whole(tmp_path: Path, name: str) -> None:
    fill, message = HARM[name]
    file = packed(fill, tmp_path / "a.zip")
    with pytest.raises(ValueError, match=message) as caught:
        unpack_zip(file, tmp_path / "in" / "new")
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.zip", "in"], "nothing is left behind"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'a' in the zip file is there twice"):
        unpack_zip(packed(names("a", "a"), tmp_path / "a.zip"), tmp_path / "new")


def test_a_bomb_is_stopped_while_it_unpacks(tmp_path: Path) -> None:
    file = packed(lambda archive: archive.writestr("zeros", bytes(8 * MIB)), tmp_path / "a.zip")
    assert file.stat().st_size < MIB // 50
    with pytest.raises(ValueError, match=r"unpacks to far more than its size lets expect .*bomb"):
        unpack_zip(file, tmp_path / "new", limits=Limits(free=4 * MIB))
    assert not (tmp_path / "new").exists()
    unpack_zip(file, tmp_path / "new", limits=Limits(free=8 * MIB))
    with pytest.raises(ValueError, match="bomb"):
        unpack_zip(file, tmp_path / "other", limits=Limits(total=8 * MIB - 1))


def test_many_entries_that_share_their_bytes_are_a_bomb(tmp_path: Path) -> None:
    """Each is allowed; together they are not."""
    fill = [(f"zeros{number}", bytes(MIB)) for number in range(9)]
    file = packed(lambda archive: [archive.writestr(*entry) for entry in fill], tmp_path / "a.zip")
    with pytest.raises(ValueError, match="at 'zeros4'"):
        unpack_zip(file, tmp_path / "new", limits=Limits(free=4 * MIB))


def test_a_size_that_lies_is_not_believed(tmp_path: Path) -> None:
    """The directory says one byte, the data inflate to eight megabytes: stopped, or found out as damaged."""
    file = packed(lambda archive: archive.writestr("zeros", bytes(8 * MIB)), tmp_path / "a.zip")
    data = bytearray(file.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 1)
    with pytest.raises(ValueError, match=r"damaged|bomb"):
        unpack_zip(io.BytesIO(bytes(data)), tmp_path / "new", limits=Limits(free=4 * MIB))
    assert not (tmp_path / "new").exists()


def test_too_many_entries_are_refused(tmp_path: Path) -> None:
    file = packed(names(*(f"{number}.txt" for number in range(12))), tmp_path / "a.zip")
    with pytest.raises(ValueError, match="holds 12 entries; expected 11 at most"):
        unpack_zip(file, tmp_path / "new", limits=Limits(entries=11))
    assert len(list(unpack_zip(file, tmp_path / "new", limits=Limits(entries=12)).iterdir())) == 12


def test_200000_entries_are_refused_before_the_first_is_unpacked(tmp_path: Path) -> None:
    """The directory of a zip file with one entry, 200,000 times."""
    data = packed(names("a.txt"), tmp_path / "a.zip").read_bytes()
    start, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    directory = data[start:end] * 200_000
    last = bytearray(data[end:])
    last[12:16] = struct.pack("<I", len(directory))
    with pytest.raises(ValueError, match="holds 200,000 entries; expected 50,000 at most"):
        unpack_zip(io.BytesIO(data[:start] + directory + last), tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_an_encrypted_file_is_refused(tmp_path: Path) -> None:
    data = bytearray(packed(names("secret.png"), tmp_path / "a.zip").read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + flags] |= 1
    with pytest.raises(ValueError, match=r"'secret\.png' in the zip file is encrypted"):
        unpack_zip(io.BytesIO(bytes(data)), tmp_path / "new")


def test_a_name_that_ends_early_is_refused(tmp_path: Path) -> None:
    """Python reads such a name up to the zero byte, other tools read on."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        names("good_evil")(archive)
    with pytest.raises(ValueError, match="leads out"):
        unpack_zip(io.BytesIO(file.getvalue().replace(b"good_evil", b"good\0evil")), tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cut", [0, 1, 30, -5, -30, -60])
def test_a_damaged_file_is_one_sentence(tmp_path: Path, cut: int) -> None:
    data = packed(
        lambda archive: archive.writestr("a.txt", bytes(range(256)) * 20), tmp_path / "a.zip"
    ).read_bytes()
    with pytest.raises(ValueError, match="no zip file, or it is damaged") as caught:
        unpack_zip(io.BytesIO(data[:cut]), tmp_path / "new")
    assert "\n" not in str(caught.value)


def test_every_damaged_byte_is_found_or_harmless(tmp_path: Path) -> None:
    """Flip each byte of a small archive: it is refused in a sentence, or the same file comes out."""
    content = bytes(range(64))
    data = packed(lambda archive: archive.writestr("a.bin", content), tmp_path / "a.zip", 0).read_bytes()
    for position in range(len(data)):
        spoilt = data[:position] + bytes([data[position] ^ 0xFF]) + data[position + 1 :]
        into = tmp_path / str(position)
        try:
            found = unpack_zip(io.BytesIO(spoilt), into)
        except ValueError as refusal:
            assert "zip file" in str(refusal)
            assert not into.exists()
        else:
            assert [path.read_bytes() for path in found.rglob("*") if path.is_file()] == [content]


def test_other_packings_are_read_or_named(tmp_path: Path) -> None:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        file = packed(names("a.txt"), tmp_path / f"{method}.zip", method)
        assert (unpack_zip(file, tmp_path / str(method)) / "a.txt").read_text() == "x"
    data = bytearray(packed(names("a.txt"), tmp_path / "a.zip").read_bytes())
    for mark, method in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        data[data.index(mark) + method] = 97
    with pytest.raises(ValueError, match="packed in a way that is not supported"):
        unpack_zip(io.BytesIO(bytes(data)), tmp_path / "new")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    file = packed(names("a.txt"), tmp_path / "a.zip")
    (tmp_path / "there").mkdir()
    assert unpack_zip(file, tmp_path / "there") == tmp_path / "there", "an empty folder is taken"
    with pytest.raises(ValueError, match="there is something already"):
        unpack_zip(file, tmp_path / "there")
    with pytest.raises(OSError, match="nowhere"):
        unpack_zip(tmp_path / "nowhere.zip", tmp_path / "new")
