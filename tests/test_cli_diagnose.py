"""`boxscope diagnose`: the table, the JSON, one line for every mistake, and a gentle end."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
from support.server import boxscope_command
from test_summary import summary

from detector.judging.dataset_diagnosis import load_diagnosis
from detector.judging.parts import part_files
from detector.judging.status import State, read_status
from detector.judging.summary import Problem
from viz_app import cli
from viz_app.commands.diagnose import summary_text


def test_a_data_set_is_told_as_a_table_and_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["diagnose", "shapes:4:12", "--out", str(tmp_path / "out")]
    assert cli.run(command) == 0
    shown = capsys.readouterr()
    kept = load_diagnosis(tmp_path / "out").summary
    assert shown.out.startswith("shapes on shapes:4:12\n")
    assert f"{kept.found} of {kept.objects} objects found in 4 images" in shown.out
    assert shown.err.splitlines()[0] == "diagnose: 0 of 4 images"
    assert cli.run([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "out" / "summary.json").read_text())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "there is no data set 'nowhere'"),
        (["shapes:few"], "'shapes:few' is not understood"),
        (["shapes:2", "--model", "nothing"], "there is no detector 'nothing'"),
        (["shapes:2", "--box_score", "2"], "box_score is 2.0"),
        (["shapes:2", "--limit", "0"], "limit is 0"),
        (["shapes:2", "--processes", "-1"], "processes is -1"),
        (["shapes:2", "--iou", "0"], "iou is 0"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["diagnose", *arguments, "--out", str(tmp_path / "out")]) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.err.startswith("boxscope: ")
    assert shown.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_ctrl_c_ends_a_run_that_can_be_continued(tmp_path: Path) -> None:
    command = [*boxscope_command(), "diagnose", "shapes:40:3", "--out", str(tmp_path), "--no_remedies"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        while process.poll() is None and not any(p.stat().st_size for p in part_files(tmp_path, "diagnose")):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "stopped; the same command goes on from here" in said and "Traceback" not in said
    status = read_status(tmp_path)
    assert status is not None
    assert status.state is State.STOPPED
    done = sum(len(part.read_text().splitlines()) for part in part_files(tmp_path, "diagnose"))
    assert 0 < done < 40
    assert (
        cli.run(["diagnose", "shapes:40:3", "--out", str(tmp_path), "--no_remedies", "--limit", str(done)])
        == 0
    )
    assert load_diagnosis(tmp_path).summary.images == done


def test_the_table_says_what_costs_what_and_what_helps() -> None:
    text = summary_text(summary())
    assert "5 of 8 objects found in 4 images (IoU 0.5), recall 62.5%" in text
    assert "ANCHOR_FIT" in text and "+0.250" in text
    assert "RPN_NMS" not in text  # nothing was lost there
    assert "not used: a.png: broken" in text
    assert "box_nms 0.5 -> 0.6: AP 0.500 -> -, right ones +3 -0, wrong ones +1 -2" in text
    assert "80.0% of the objects instead of 40.0%: sizes 16/24, 32/48; ratios 0.5, 1" in text


def test_a_replay_that_is_not_the_models_own_output_is_told() -> None:
    assert "On 3 of 4 images" in summary_text(replace(summary(), unfaithful=3))


def test_many_unusable_images_do_not_fill_the_terminal() -> None:
    problems = tuple(Problem(k, f"{k}.png", "broken") for k in range(30))
    text = summary_text(replace(summary(), problems=problems))
    assert text.count("not used: ") == 9
    assert "not used: 22 more images" in text
