"""Data sets that are wrong in their text: one sentence that names file and place, in Python and in the shell."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from support.bad_files import JSONS, TEXTS, coco, with_classes
from support.datasets import labels, picture, voc_file, voc_folder, voc_object, yolo_folder

from detector.data import CocoDataset, VocDataset, YoloDataset, open_dataset
from detector.data.plain_yaml import parse_yaml
from detector.judging.doctor import examine
from detector.training.config_file import read_config
from viz_app import cli

MARK = b"\xef\xbb\xbf"


@pytest.mark.parametrize("name", TEXTS)
def test_a_byte_order_mark_changes_nothing(tmp_path: Path, name: str) -> None:
    text = TEXTS[name]
    made = text.make(tmp_path / "set")
    plain = [target["boxes"].tolist() for _, target in open_dataset(made / text.opened)]
    categories = open_dataset(made / text.opened).categories
    path = made / text.path
    path.write_bytes(MARK + path.read_bytes())
    marked = open_dataset(made / text.opened)
    assert [target["boxes"].tolist() for _, target in marked] == plain and marked.categories == categories


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
@pytest.mark.parametrize("name", TEXTS)
def test_another_encoding_is_named_with_the_remedy(tmp_path: Path, name: str, encoding: str) -> None:
    text = TEXTS[name]
    made = text.make(tmp_path / "set")
    path = made / text.path
    path.write_bytes((path.read_text(encoding="utf-8") + "\n\xe4").encode(encoding))
    with pytest.raises(ValueError, match="this is not text in UTF-8; save it as UTF-8") as refused:
        open_dataset(made / text.opened)
    assert path.name in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_xml_is_read_in_the_encoding_that_it_says(tmp_path: Path, encoding: str) -> None:
    folder = voc_folder(tmp_path / "set")
    path = folder / "Annotations" / "a.xml"
    said = "UTF-16" if encoding == "utf-16" else "UTF-8"
    text = f'<?xml version="1.0" encoding="{said}"?>{path.read_text()}'
    path.write_bytes(text.replace("dog", "dög").encode(encoding))
    assert VocDataset(folder).categories == ("background", "ant", "cat", "dög")


@pytest.mark.parametrize("name", JSONS)
def test_a_spoilt_coco_file_is_one_sentence(tmp_path: Path, name: str) -> None:
    spoil, said = JSONS[name]
    path = coco(tmp_path / "set") / "annotations.json"
    path.write_text(spoil(path.read_text()), encoding="utf-8")
    with pytest.raises(ValueError, match=said) as refused:
        CocoDataset(path)
    sentence = str(refused.value)
    assert sentence.startswith(f"{path}: ") and "\n" not in sentence and len(sentence) < len(str(path)) + 600


@pytest.mark.parametrize("name", [name for name in JSONS if "not JSON" not in JSONS[name][1]])
def test_the_doctor_refuses_or_names_the_same(tmp_path: Path, name: str) -> None:
    spoil, _ = JSONS[name]
    path = coco(tmp_path / "set") / "annotations.json"
    path.write_text(spoil(path.read_text()), encoding="utf-8")
    try:
        assert examine(path).errors or "width" in name or name == "an entry 300 deep"
    except ValueError as refusal:
        assert str(refusal).startswith(f"{path}: ")


def test_numbers_that_nobody_reads_do_no_harm(tmp_path: Path) -> None:
    path = coco(tmp_path / "set") / "annotations.json"
    document = json.loads(path.read_text())
    document["annotations"][1]["area"] = 200.5
    document["info"] = {"score": float("nan"), "sum": "1e999"}
    document["annotations"][0] |= {"id": 0, "area": float("nan"), "score": float("inf"), "category_id": 5.0}
    path.write_text(json.dumps(document).replace('"1e999"', "1e999"))
    dataset = CocoDataset(path)
    assert dataset.truth(0).ids.tolist() == [0, 2], "an annotation id of 0 is one like any other"
    assert dataset[0][1]["area"].tolist() == [50.0, 200.5], "an area that is none is that of the box"


COMMANDS = {
    "doctor": ["doctor", "DATA"],
    "diagnose": ["diagnose", "DATA", "--out", "out"],
    "evaluate": ["evaluate", "DATA", "--out", "out"],
    "convert": ["convert", "DATA", "--to", "voc", "--out", "out"],
    "train": ["train", "--data.train", "DATA", "--data.val", "DATA", "--out", "out"],
    "tune": ["tune", "thresholds", "DATA", "--out", "out"],
}


@pytest.mark.parametrize("name", ["cut short", "a key twice", "nested 100,000 deep"])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_refuses_it_in_one_line_and_writes_nothing(
    tmp_path: Path,
    command: str,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("BOXSCOPE_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.chdir(tmp_path)
    path = coco(tmp_path / "set") / "annotations.json"
    path.write_text(JSONS[name][0](path.read_text()))
    assert cli.run([str(path) if word == "DATA" else word for word in COMMANDS[command]]) == 2
    said = capsys.readouterr()
    *before, last = said.err.splitlines()
    assert last.startswith(f"boxscope: {path}: ") and JSONS[name][1] in last
    assert (before == [] or command in ("train", "tune")) and said.out == "", (
        "these say first what they begin"
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["set"]


BOMB = "\n".join(["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))])
YAMLS = {
    "an alias bomb": (BOMB, "it is not YAML in line 2 (aliases such as *name are not read)"),
    "nested 20,000 deep": ("a: " + "[" * 20_000, "it is not YAML in line 1 (nested deeper than 32)"),
    "a key twice": (
        "names: [cat]\ntrain: images\nnames: [dog]",
        "it is not YAML in line 3 (names comes twice)",
    ),
    "code": ("a: !!python/object/apply:os.getcwd []", "it is not YAML in line 1"),
    "5,000 digits": ("a: " + "9" * 5000, "Exceeds the limit"),
    "cut short": ("a: [1, 2", "it is not YAML in line 1"),
}


@pytest.mark.parametrize("name", YAMLS)
def test_yaml_is_refused_in_a_sentence_with_its_line(tmp_path: Path, name: str) -> None:
    text, said = YAMLS[name]
    path = yolo_folder(tmp_path / "set") / "data.yaml"
    path.write_text(text)
    for read in (YoloDataset, read_config):
        with pytest.raises(ValueError) as refused:
            read(path)
        assert str(refused.value).startswith(f"{path}: ") and said in str(refused.value)
        assert len(str(refused.value)) < len(str(path)) + 300


def test_many_keys_are_read_in_time_that_grows_with_their_number() -> None:
    assert len(parse_yaml("".join(f"k{number}: 1\n" for number in range(3000)))) == 3000


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("null", "the name None"),
        ('"\\ud800"', "the name"),
        ('" "', "the name ' '"),
        ("[a]", "the name ['a']"),
    ],
)
def test_a_class_without_a_name_is_refused(tmp_path: Path, name: str, said: str) -> None:
    path = yolo_folder(tmp_path / "set") / "data.yaml"
    path.write_text(f"train: images/train\nnames: [{name}, dog]")
    with pytest.raises(ValueError, match=r"data\.yaml: class 0 has ") as refused:
        YoloDataset(path)
    assert said in str(refused.value)


def test_paths_that_no_disk_takes_are_files_that_are_not_there(tmp_path: Path) -> None:
    folder = with_classes(tmp_path / "flat")
    shutil.copy(folder / "a.png", folder / "b.png")
    (folder / "data.yaml").write_text(f"train: {'y' * 300}\nnames: [cat, dog]")
    with pytest.raises(ValueError, match="which is not there below"):
        YoloDataset(folder / "data.yaml")
    (folder / "some.txt").write_text(f"a.png\n{'x' * 5000}\n")
    (folder / "data.yaml").write_text("train: some.txt\nnames: [cat, dog]")
    with pytest.raises(ValueError, match=r"some\.txt: line 2 names 'xxx"):
        YoloDataset(folder / "data.yaml")
    voc = voc_folder(tmp_path / "voc")
    voc_file(voc / "Annotations" / "a.xml", voc_object("cat", (1, 1, 9, 9)), image="y" * 300 + ".jpg")
    assert VocDataset(voc).image_path(0).name == "a.jpg", "the image that is called as the XML file is"


def test_deep_xml_is_read(tmp_path: Path) -> None:
    folder = voc_folder(tmp_path / "set")
    deep = "<a>" * 100_000 + "</a>" * 100_000
    (folder / "Annotations" / "b.xml").write_text(f"<annotation>{deep}</annotation>")
    assert len(VocDataset(folder)) == 3, "what lies deeper than objects is not looked at"


def test_label_files_in_place_of_folders_are_no_labels(tmp_path: Path) -> None:
    folder = yolo_folder(tmp_path / "set")
    (folder / "labels" / "val" / "c.txt").unlink()
    (folder / "labels" / "val" / "c.txt").mkdir()
    with pytest.raises(ValueError, match=r"c\.txt: it is a folder"):
        YoloDataset(folder)
    labels(picture(folder / "images" / "train" / "d.png").with_suffix(".md"), "text")
    assert len(YoloDataset(folder, "train")) == 3
