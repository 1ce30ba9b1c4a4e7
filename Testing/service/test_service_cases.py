"""Projects, cases, annotations and the review over HTTP, with a real service and real files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dicom_making import write_series
from medssl.client import Client, EngineError, Project
from medssl.client.answers import case_of
from medssl.imaging.labels import read_labels
from medssl.imaging.reading import read_volume
from medssl.project import Project as OpenProject
from overlapping_segments import write_overlapping
from service_engine import GRID, Engine, propose, write_drawing, write_scan


@pytest.fixture
def project(engine: Engine) -> Project:
    """A new project with two segments."""
    return engine.new_project()


def test_a_project_is_made_opened_again_and_forgotten(client: Client, project: Project) -> None:
    assert project.segments[0].name == "Head"
    assert client.open_project(project.folder) == project
    assert project.key in {known.key for known in client.projects()}
    client.forget_project(project.key)
    with pytest.raises(EngineError, match="knows no project") as told:
        client.project(project.key)
    assert told.value.status == 404
    assert client.open_project(project.folder).key == project.key


def test_a_project_without_a_folder_gets_one_in_the_first_root(engine: Engine, client: Client) -> None:
    made = client.create_project("Liver: 2026", {1: "Liver"})
    assert Path(made.folder) == engine.root / "Liver_ 2026"


def test_the_label_schema_changes_but_loses_nothing_drawn(
    engine: Engine, client: Client, project: Project
) -> None:
    case = client.add_case(project.key, "a", [write_scan(engine.root / "schema.nii.gz")])
    client.save_annotation(project.key, case.id, write_drawing(engine.root / "schema-l.nii.gz"))
    changed = client.set_schema(project.key, {1: "Head", 2: "Body", 3: "Tail"})
    assert [segment.name for segment in changed.segments] == ["Head", "Body", "Tail"]
    with pytest.raises(EngineError, match="Head"):
        client.set_schema(project.key, {2: "Body"})


def test_a_label_schema_that_is_another_by_now_than_the_one_that_was_seen_is_not_replaced(
    client: Client, project: Project
) -> None:
    changed = client.set_schema(project.key, {1: "Head", 2: "Body", 3: "Tail"}, seen=project)
    with pytest.raises(EngineError, match=r"3 \(Tail\)"):
        client.set_schema(project.key, {1: "Head", 2: "Body", 3: "Neck"}, seen=project)
    assert client.project(project.key) == changed
    client.set_schema(project.key, {1: "Head", 2: "Body", 3: "Neck"}, seen=changed)
    assert client.project(project.key).segments[-1].name == "Neck"


def test_what_a_label_map_lost_is_told_with_its_version(
    engine: Engine, client: Client, project: Project
) -> None:
    case = client.add_case(project.key, "a", [write_scan(engine.root / "lost.nii.gz")])
    write_overlapping(engine.root / "lost.seg.nrrd", GRID, "Head", "Body")
    (note,) = client.save_annotation(project.key, case.id, engine.root / "lost.seg.nrrd").notes
    assert "1 voxel belongs to several segments" in note


def test_a_file_that_was_only_found_becomes_no_case_when_it_holds_labels(
    engine: Engine, client: Client, project: Project
) -> None:
    labels = write_drawing(engine.root / "found-labels.nii.gz")
    with pytest.raises(EngineError, match="holds labels") as told:
        client.add_case(project.key, "a", [labels], must_be_scan=True)
    assert told.value.code == "image"
    scan = write_scan(engine.root / "found.nii.gz")
    assert client.add_case(project.key, "a", [scan], must_be_scan=True).name == "a"
    assert client.add_case(project.key, "named", [labels]).name == "named"  # by a person, who knows


def test_a_case_goes_the_whole_way_from_its_scan_to_a_correction(
    engine: Engine, client: Client, project: Project, tmp_path: Path
) -> None:
    scan = write_scan(engine.root / "way.nii.gz")
    case = client.add_case(project.key, "Übung / 1", [scan], role="validation")
    assert (case.state, case.role, case.channels) == ("new", "validation", (str(scan),))
    assert client.case(project.key, "Übung / 1") == case
    assert client.set_role(project.key, case.id, "training").role == "training"

    with OpenProject.open(Path(project.folder)) as opened:
        propose(opened, case.name, 0.7)
    (waiting,) = client.review_queue(project.key)
    assert (waiting.id, waiting.score) == (case.id, 0.7)
    proposal = client.case(project.key, case.id).pseudo_label
    assert proposal is not None
    uncertainty = client.download_uncertainty(project.key, case.id, tmp_path / "u.nrrd")
    assert np.allclose(read_volume(uncertainty).array, 0.7, atol=1 / 256)
    labels = client.download_proposal(project.key, case.id, tmp_path / "p.seg.nrrd")
    assert read_labels(labels).volume.array.sum() == 8

    accepted = client.accept(project.key, case.id, proposal.id, author="Dr. A", seconds=12.5)
    assert (accepted.kind, accepted.author, accepted.seconds) == ("accepted", "Dr. A", 12.5)
    assert client.undo(project.key, case.id).state == "proposed"
    assert client.reject(project.key, case.id, proposal.id).state == "rejected"
    client.undo(project.key, case.id)
    corrected = client.correct(project.key, case.id, proposal.id, write_drawing(engine.root / "c.nii.gz"))
    assert (corrected.kind, corrected.version) == ("corrected", 2)
    versions = client.annotations(project.key, case.id)
    assert [version.withdrawn for version in versions] == [True, False]
    drawn = client.download_annotation(project.key, case.id, 2, tmp_path / "v2.seg.nrrd")
    assert drawn.read_bytes() == Path(corrected.path).read_bytes()
    with pytest.raises(EngineError, match="corrected already"):
        client.accept(project.key, case.id, proposal.id)


def test_nobody_decides_on_a_proposal_they_have_not_seen(
    engine: Engine, client: Client, project: Project
) -> None:
    case = client.add_case(project.key, "a", [write_scan(engine.root / "seen.nii.gz")])
    with OpenProject.open(Path(project.folder)) as opened:
        propose(opened, "a", 0.2)
        seen = client.case(project.key, case.id).pseudo_label
        propose(opened, "a", 0.3)
    assert seen is not None
    with pytest.raises(EngineError, match="another proposal"):
        client.accept(project.key, case.id, seen.id)


def test_nobody_takes_the_place_of_an_annotation_they_have_not_seen(
    engine: Engine, client: Client, project: Project
) -> None:
    case = client.add_case(project.key, "b", [write_scan(engine.root / "unseen.nii.gz")])
    labels = write_drawing(engine.root / "unseen-l.nii.gz")
    client.save_annotation(project.key, case.id, labels, seen_version=0)
    with pytest.raises(EngineError, match="version 1 counts now") as told:
        client.save_annotation(project.key, case.id, labels, seen_version=0)
    assert told.value.status == 409
    assert client.save_annotation(project.key, case.id, labels, seen_version=1).version == 2


def test_nobody_decides_beside_an_annotation_they_have_not_seen(
    engine: Engine, client: Client, project: Project
) -> None:
    case = client.add_case(project.key, "c", [write_scan(engine.root / "beside.nii.gz")])
    labels = write_drawing(engine.root / "beside-l.nii.gz")
    with OpenProject.open(Path(project.folder)) as opened:
        propose(opened, "c", 0.2)
        proposal = opened.case("c").pseudo_label.id  # type: ignore[union-attr]  # it was just made
    client.save_annotation(project.key, case.id, labels, seen_version=0)
    for decide in (
        lambda seen: client.accept(project.key, case.id, proposal, seen_version=seen),
        lambda seen: client.correct(project.key, case.id, proposal, labels, seen_version=seen),
        lambda seen: client.reject(project.key, case.id, proposal, seen_version=seen),
        lambda seen: client.undo(project.key, case.id, seen_version=seen),
    ):
        with pytest.raises(EngineError, match="version 1 counts now") as told:
            decide(0)
        assert told.value.status == 409
    assert client.correct(project.key, case.id, proposal, labels, seen_version=1).version == 2
    client.undo(project.key, case.id, seen_version=2)
    with pytest.raises(EngineError, match="version 1 counts now"):
        client.undo(project.key, case.id, seen_version=2)
    # Older clients send no body.
    undone = client.connection.change("POST", f"/v1/projects/{project.key}/cases/{case.id}/undo", case_of)
    assert undone.annotation is None


def test_cases_are_paged_filtered_and_sorted(engine: Engine, client: Client, project: Project) -> None:
    scan = write_scan(engine.root / "pages.nii.gz")
    for name in ("b", "a 10", "a 9"):
        client.add_case(project.key, name, [scan])
    page = client.cases(project.key, text="A", limit=1, offset=1)
    assert (page.total, [case.name for case in page.cases]) == (2, ["a 10"])
    assert [case.name for case in client.cases(project.key, descending=True).cases] == ["b", "a 10", "a 9"]
    assert client.cases(project.key, state="annotated").total == 0


def test_a_volume_is_uploaded_becomes_a_case_and_comes_back_as_it_was(
    client: Client, project: Project, tmp_path: Path
) -> None:
    scan = write_scan(tmp_path / "far away.nii.gz")
    upload = client.upload(scan)
    assert upload.sha256 == hashlib.sha256(scan.read_bytes()).hexdigest()
    assert upload.grid.size == GRID.size
    case = client.add_case(project.key, "uploaded", [upload.path])
    client.remove_upload(upload.id)
    assert Path(case.channels[0]).is_relative_to(project.folder)
    back = client.download_channel(project.key, case.id, 0, tmp_path / "back.nii.gz")
    assert back.read_bytes() == scan.read_bytes()
    drawing = client.upload(write_drawing(tmp_path / "drawn.nii.gz"))
    assert client.save_annotation(project.key, case.id, drawing.path).kind == "drawn"


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (lambda c, p: c.case(p, 10**9), "not_found"),
        (lambda c, p: c.case(p, "nobody"), "not_found"),
        (lambda c, p: c.job(p, "no-job"), "not_found"),
        (lambda c, p: c.model(p), "not_found"),
        (lambda c, p: c.project("0" * 16), "not_found"),
        (lambda c, p: c.remove_upload("../../token"), "not_found"),
        (lambda c, p: c.open_project("relative/folder"), "path"),
        (lambda c, p: c.submit(p, {"kind": "dance"}), "request"),
        (lambda c, p: c.submit(p, {"kind": "propose", "more": 1}), "request"),
        (lambda c, p: c.submit(p, {"kind": "propose"}), "not_found"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_form(
    client: Client, project: Project, ask: Callable[[Client, str], object], code: str
) -> None:
    with pytest.raises(EngineError) as told:
        ask(client, project.key)
    assert told.value.code == code
    assert told.value.message


def test_a_damaged_scan_is_named_and_the_service_goes_on(
    engine: Engine, client: Client, project: Project
) -> None:
    scan = write_scan(engine.root / "cut.nii.gz")
    scan.write_bytes(scan.read_bytes()[:-40])
    with pytest.raises(EngineError, match=r"cut\.nii\.gz is damaged"):
        client.add_case(project.key, "cut", [scan])
    assert client.cases(project.key).total == 0


@pytest.mark.parametrize("name", ["moved.nii.gz", "moved series"])
def test_a_scan_that_was_moved_is_told_how_to_find_and_found_again(
    engine: Engine, client: Client, project: Project, tmp_path: Path, name: str
) -> None:
    scan, elsewhere = engine.root / name, engine.root / "elsewhere" / name
    elsewhere.parent.mkdir(exist_ok=True)
    if scan.suffix:
        write_scan(scan)
    else:
        write_series(scan, np.arange(5 * 4 * 3, dtype=np.int16).reshape(5, 4, 3))
    case = client.add_case(project.key, "a", [scan])
    scan.rename(elsewhere)
    with pytest.raises(EngineError, match="There is no file") as told:
        client.download_channel(project.key, case.id, 0, tmp_path / "fetched.nrrd")
    assert "add it again from there, with the name of the case" in told.value.remedy
    with pytest.raises(EngineError, match="There is no file") as told:
        client.save_annotation(project.key, case.id, write_drawing(engine.root / "moved-l.nii.gz"))
    assert "add it again from there, with the name of the case" in told.value.remedy
    found = client.add_case(project.key, "a", [elsewhere])
    assert (found.id, found.channels) == (case.id, (str(elsewhere),))


def test_an_id_never_leads_to_another_address(engine: Engine, client: Client) -> None:
    """A step up from a model is its project, and what deletes the one would forget the other."""
    project = engine.new_project()
    for wrong in ("..", ".", ""):
        with pytest.raises(EngineError, match="nothing with the id"):
            client.delete_model(project.key, wrong)
        with pytest.raises(EngineError, match="nothing with the id"):
            client.job(project.key, wrong)
        with pytest.raises(EngineError, match="nothing with the id"):
            client.remove_upload(wrong)
    assert project.key in [known.key for known in client.projects()]
