"""A pretraining is a job like any other, and what it leaves is for trainings only."""

from __future__ import annotations

from pathlib import Path

import pytest
from medssl.errors import Cancelled, ModelError, NotFoundError
from medssl.events import Monitor
from medssl.imaging.writing import write_volume
from medssl.jobs import (
    EvaluateRequest,
    PredictRequest,
    PretrainRequest,
    PretrainResult,
    ProposeRequest,
    TrainRequest,
    pretraining_settings_for,
    resume_job,
    run_job,
    settings_for,
)
from medssl.learning.model import load_model, read_card
from medssl.phantom import SCHEMA, make_phantom
from medssl.project import Project
from small_models import add_untrained_model
from watching import Watcher


def _pretraining(steps: int = 2, scans: Path | None = None) -> PretrainRequest:
    settings = pretraining_settings_for("quick", method="relative_location", steps=steps, device="cpu")
    return PretrainRequest(settings=settings, scans=scans)


def _pretrain(project: Project, request: PretrainRequest | None = None) -> PretrainResult:
    result = run_job(project, request or _pretraining(), Monitor()).result
    assert isinstance(result, PretrainResult)
    return result


def _two_steps(start_from: str, **more: bool) -> TrainRequest:
    settings = settings_for("quick", method="supervised", steps=2, device="cpu")
    return TrainRequest(settings=settings, start_from=start_from, **more)


def test_a_pretrained_model_is_listed_and_is_not_the_latest_to_segment_with(project: Project) -> None:
    result = _pretrain(project)

    record = project.model(result.model_id)
    assert (record.can_segment, record.method) == (False, "relative_location")
    assert (result.scans, result.steps) == (4, 2)
    with pytest.raises(NotFoundError, match="no model yet"):
        run_job(project, ProposeRequest(device="cpu"), Monitor())


def test_scans_of_a_folder_end_as_a_model_of_the_project_too(project: Project, tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    for seed in range(2):
        write_volume(tmp_path / "scans" / f"{seed}.nrrd", make_phantom(seed, size=(16, 24, 20)).image)

    result = _pretrain(project, _pretraining(scans=tmp_path / "scans"))

    assert result.scans == 2
    assert read_card(project.model(result.model_id).folder).id == result.model_id


def test_a_pretrained_model_is_refused_before_a_job_is_made(project: Project, tmp_path: Path) -> None:
    model = _pretrain(project).model_id
    before = len(project.jobs())

    for request in (
        ProposeRequest(model=model),
        PredictRequest(model=model, inputs=(tmp_path,), output=tmp_path),
        EvaluateRequest(model=model, output=tmp_path),
    ):
        with pytest.raises(ModelError, match="is pretrained and cannot segment yet") as refused:
            run_job(project, request, Monitor())
        assert f"--from {model}" in refused.value.remedy
    assert len(project.jobs()) == before


def test_a_training_begins_with_a_model_of_the_project_and_with_no_folder(project: Project) -> None:
    folder = add_untrained_model(project).folder
    before = len(project.jobs())

    with pytest.raises(NotFoundError) as refused:
        run_job(project, _two_steps(str(folder)), Monitor())
    assert str(folder) in refused.value.what
    assert "a model from elsewhere is imported first" in refused.value.remedy
    assert len(project.jobs()) == before
    said = TrainRequest.model_json_schema()["properties"]["start_from"]["description"]
    assert all(words in said for words in ("id", "'latest'", "imported first"))


def test_a_training_tells_which_tensors_it_began_with(project: Project) -> None:
    model = _pretrain(project).model_id
    watcher = Watcher()

    trained = run_job(project, _two_steps(model), watcher).result

    assert trained.kind == "train"
    card = read_card(project.model(trained.model_id).folder)
    assert (card.started_from, card.begun_from) == (model, (model,))
    texts = "\n".join(watcher.told)
    assert "Began with the model Relative location" in texts
    assert "decoder 0 of" in texts
    assert "Not loaded, because the model has none: decoder." in texts


def test_a_model_of_one_channel_starts_a_training_with_two_when_asked_to(
    project: Project, small_dataset: Path, tmp_path: Path
) -> None:
    scan, labels = (small_dataset / part / "small_1.nii.gz" for part in ("imagesTr", "labelsTr"))
    with Project.create(tmp_path / "two", SCHEMA, ("T1", "T2")) as two:
        two.save_annotation(two.add_case("both", [scan, scan]), labels)
        model = _pretrain(two, _pretraining(scans=small_dataset / "imagesTr")).model_id

        with pytest.raises(ModelError, match=r"takes 1 channel .*, this training 2 channels"):
            run_job(two, _two_steps(model), Monitor())
        trained = run_job(two, _two_steps(model, adapt_channels=True), Monitor()).result

        assert trained.kind == "train"
        assert load_model(two.model(trained.model_id).folder).plan.network.channels == 2


def test_a_cancelled_pretraining_goes_on_from_its_checkpoint(project: Project) -> None:
    watcher = Watcher()
    with pytest.raises(Cancelled, match="job resume"):
        run_job(project, _pretraining(steps=4), Watcher(stop_at=2, stage="Pretraining"))

    result = resume_job(project, project.jobs()[0].id, watcher).result

    assert "Going on from step 2." in watcher.told
    assert result.kind == "pretrain"
    assert result.steps == 4
    assert [model.id for model in project.models()] == [result.model_id]


def test_a_pretraining_that_does_not_fit_in_memory_goes_on_with_less(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medssl.learning.pretext.relative_location import RelativeLocation

    learn, sizes = RelativeLocation.learn, []

    def learn_in_little_memory(self: RelativeLocation, batch: object) -> object:
        sizes.append(self.plan.batch_size)
        if len(sizes) == 1:
            raise MemoryError
        return learn(self, batch)  # type: ignore[arg-type]  # the batch is the task's own

    monkeypatch.setattr(RelativeLocation, "learn", learn_in_little_memory)
    watcher = Watcher()

    run_job(project, _pretraining(), watcher)

    assert sizes[1:] == [sizes[0] // 2] * 2
    assert any("not enough memory" in text for text in watcher.warnings)
