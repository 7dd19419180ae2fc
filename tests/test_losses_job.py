"""Losses of a finished diagnosis: worked out on wish, kept, and never at the diagnosis' expense."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.data.shapes import ShapesDataset
from detector.judging.dataset_diagnosis import diagnose_dataset
from detector.judging.evaluation import evaluation_of
from detector.judging.image_losses import losses_of
from detector.judging.image_scores import worst_by_loss
from detector.judging.status import State, Status, read_status, write_status
from detector.models.zoo import load_detector
from viz_app.jobs import losses_job, processes
from viz_app.jobs.job import Job

JOB = Job("shapes:3:5", "shapes")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    diagnose_dataset(load_detector("shapes"), JOB.dataset, tmp_path, remedies=False, recommend=False)
    return tmp_path


def test_losses_come_on_wish_and_the_diagnosis_stays_finished(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not losses_job.is_wanted(folder)
    (folder / losses_job.WANTED).touch()
    assert losses_job.is_wanted(folder)
    told: list[Status] = []
    monkeypatch.setattr(
        losses_job, "write_status", lambda out, status: (told.append(status), write_status(out, status))
    )
    detector = load_detector("shapes")
    losses_job.work_out(detector, JOB, folder)
    assert not losses_job.is_wanted(folder) and processes.poll(folder).state is processes.JobState.DONE
    assert [(one.state, one.phase, one.done) for one in (told[0], told[-2], told[-1])] == [
        (State.RUNNING, "losses", 0), (State.RUNNING, "losses", 3), (State.DONE, "summarize", 3)
    ]  # fmt: skip
    images = evaluation_of(folder).images
    assert [one.losses for one in images] == [
        losses_of(detector, ShapesDataset(3, 5), range(7), index) for index in range(3)
    ]
    ranked = [one.loss or 0.0 for one in worst_by_loss(images)]
    assert len(ranked) == 3 and ranked == sorted(ranked, reverse=True)


def test_what_goes_wrong_leaves_the_diagnosis_finished(folder: Path) -> None:
    before = read_status(folder)
    (folder / losses_job.WANTED).touch()
    with pytest.raises(ValueError, match="no data set"):
        losses_job.work_out(load_detector("shapes"), Job("no/such/folder", "shapes"), folder)
    assert read_status(folder) == before and not losses_job.is_wanted(folder)


def test_a_diagnosis_that_is_not_finished_comes_first(tmp_path: Path) -> None:
    (tmp_path / losses_job.WANTED).touch()
    assert not losses_job.is_wanted(tmp_path)
    write_status(tmp_path, Status(State.STOPPED, 1, 3, None, None, 1, 0.0))
    assert not losses_job.is_wanted(tmp_path)
