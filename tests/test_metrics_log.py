"""What a run has measured, read while it grows."""

import math
import os
import random
from dataclasses import replace
from pathlib import Path

import pytest

from detector.training.metrics_log import METRICS, EpochRow, MetricsReader, StepRow, best_of
from detector.training.metrics_writer import MetricsWriter


def step(number: int, epoch: int = 0, **changes: float) -> StepRow:
    row = StepRow(number, epoch, 0.5, 0.25, 1.5, 0.125, 2.375, 1e-3, 4.0, 0.1 * number)
    return replace(row, **changes)  # pyright: ignore[reportArgumentType]


def epoch_row(epoch: int, at: int, average: float | None = 0.5) -> EpochRow:
    return EpochRow(
        epoch, at, average, 0.75, 0.5, None, 0.25, None, {"ANCHOR_FIT": 0.9, "RPN_NMS": 0.5}, 12, 3.5
    )


def test_rows_come_back_as_they_were_written_each_once(tmp_path: Path) -> None:
    reader = MetricsReader(tmp_path)
    assert reader.new() == []
    writer = MetricsWriter(tmp_path)
    assert reader.new() == []
    rows = [epoch_row(-1, 0), step(1), step(2), epoch_row(0, 2)]
    for row in rows:
        writer.write(row)
        assert reader.new() == [row]
    assert reader.new() == []
    assert MetricsReader(tmp_path).new() == rows
    assert (reader.steps, reader.epochs, reader.restarts) == ([rows[1], rows[2]], [rows[0], rows[3]], 0)


def test_a_norm_that_is_not_finite_can_be_written(tmp_path: Path) -> None:
    writer = MetricsWriter(tmp_path)
    writer.write(step(1, grad_norm=math.inf))
    (row,) = MetricsReader(tmp_path).new()
    assert isinstance(row, StepRow)
    assert math.isnan(row.grad_norm)
    assert row.total == 2.375
    assert b"Infinity" not in (tmp_path / METRICS).read_bytes()


def test_lines_may_arrive_in_any_pieces(tmp_path: Path) -> None:
    rows = [step(1), step(2), epoch_row(0, 2), step(3, 1)]
    writer = MetricsWriter(tmp_path)
    for row in rows:
        writer.write(row)
    whole = (tmp_path / METRICS).read_bytes()
    for seed in range(20):
        draw = random.Random(seed)
        folder = tmp_path / str(seed)
        folder.mkdir()
        reader, seen, at = MetricsReader(folder), [], 0
        with (folder / METRICS).open("ab", buffering=0) as file:
            while at < len(whole):
                size = draw.randint(1, 200)
                file.write(whole[at : at + size])
                at += size
                seen += reader.new()
        assert seen == rows


def test_a_torn_line_is_skipped_and_the_next_one_is_whole(tmp_path: Path) -> None:
    MetricsWriter(tmp_path).write(step(1))
    with (tmp_path / METRICS).open("ab") as file:
        file.write(b'{"step":2,"epo')
    reader = MetricsReader(tmp_path)
    assert reader.new() == [step(1)]
    MetricsWriter(tmp_path).write(step(2))
    assert reader.new() == [step(2)]
    assert reader.restarts == 0


def test_no_step_counts_twice_after_a_resume(tmp_path: Path) -> None:
    early = MetricsReader(tmp_path)
    writer = MetricsWriter(tmp_path)
    for row in (step(1), step(2), epoch_row(0, 2), step(3, 1), step(4, 1), epoch_row(1, 4)):
        writer.write(row)
    early.new()
    # Killed after step 4; the last checkpoint is of step 2.
    again = MetricsWriter(tmp_path, resumed_after=2)
    assert early.new() == []
    assert (early.steps, early.epochs, early.restarts) == ([step(1), step(2)], [epoch_row(0, 2)], 1)
    again.write(step(3, 1, total=9.0))
    assert early.new() == [step(3, 1, total=9.0)]
    late = MetricsReader(tmp_path)
    assert late.new() == [step(1), step(2), epoch_row(0, 2), step(3, 1, total=9.0)]
    for reader in (early, late):
        assert [row.step for row in reader.steps] == [1, 2, 3]
        assert reader.steps[-1].total == 9.0
    # The file was only added to.
    assert (tmp_path / METRICS).read_bytes().count(b'"step":4') == 2


def test_an_epoch_validated_again_counts_once(tmp_path: Path) -> None:
    writer = MetricsWriter(tmp_path)
    for row in (epoch_row(-1, 0), epoch_row(0, 2, 0.1), epoch_row(0, 2, 0.1)):
        writer.write(row)
    reader = MetricsReader(tmp_path)
    reader.new()
    assert reader.epochs == [epoch_row(-1, 0), epoch_row(0, 2, 0.1)]


def test_a_file_that_was_replaced_or_cut_is_read_anew(tmp_path: Path) -> None:
    writer = MetricsWriter(tmp_path)
    for number in range(1, 6):
        writer.write(step(number))
    reader = MetricsReader(tmp_path)
    assert len(reader.new()) == 5
    other = tmp_path / "other"
    other.mkdir()
    fresh = MetricsWriter(other)
    for number in range(1, 9):
        fresh.write(step(number, total=1.0))
    (other / METRICS).replace(tmp_path / METRICS)
    assert [row.step for row in reader.new()] == list(range(1, 9))
    assert ([row.total for row in reader.steps], reader.restarts) == ([1.0] * 8, 1)
    os.truncate(tmp_path / METRICS, (tmp_path / METRICS).read_bytes().index(b"\n") + 1)
    assert reader.new() == [step(1, total=1.0)]
    assert (reader.steps, reader.restarts) == ([step(1, total=1.0)], 2)


def test_a_look_reads_only_what_is_new(tmp_path: Path) -> None:
    writer = MetricsWriter(tmp_path)
    for number in range(1, 2001):
        writer.write(step(number))
    reader = MetricsReader(tmp_path)
    reader.new()
    # What was read before may turn into anything: it is not read again.
    with (tmp_path / METRICS).open("r+b") as file:
        file.write(b"x" * 1000)
    writer.write(step(2001))
    assert reader.new() == [step(2001)]
    assert len(reader.steps) == 2001


def test_rows_of_another_version_are_left_out(tmp_path: Path) -> None:
    with (tmp_path / METRICS).open("ab") as file:
        file.write(b'{"step":1,"epoch":0,"loss":2.0}\n[1]\n7\n\n')
    MetricsWriter(tmp_path).write(step(2))
    assert MetricsReader(tmp_path).new() == [step(2)]


def test_the_best_epoch_is_the_first_of_the_largest_and_never_the_untrained(tmp_path: Path) -> None:
    rows = [epoch_row(-1, 0, 0.9), epoch_row(0, 2, None), epoch_row(1, 4, 0.3), epoch_row(2, 6, 0.3)]
    assert best_of(rows, "AP") is rows[2]
    assert best_of(rows, "recall/RPN_NMS") is rows[1]
    assert best_of(rows, "AP_small") is rows[1]
    assert best_of(rows[:1], "AP") is None
    with pytest.raises(ValueError, match="the monitor is 'loss'"):
        best_of(rows, "loss")
