"""What helps a person to choose and to look: suggestions, pictures, uncertain places, older versions."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from medssl.client import Client, EngineError, Project
from medssl.events import Row
from medssl.imaging.labels import read_labels
from medssl.imaging.volume import Volume
from medssl.imaging.writing import write_volume
from medssl.inference.rows import FolderRow
from medssl.learning.card import CARD
from medssl.project import Project as OpenProject
from medssl.project import UncertainRegion
from PIL import Image
from service_engine import GRID, Engine, propose, write_drawing, write_scan


@pytest.fixture
def project(engine: Engine) -> Project:
    """A new project with two segments."""
    return engine.new_project()


def test_the_typical_scan_is_suggested_first_and_then_the_most_uncertain_proposal(
    engine: Engine, client: Client, project: Project
) -> None:
    for name, brightness in (("dark", 0), ("usual", 100), ("usual too", 110), ("bright", 900)):
        voxels = np.full(GRID.shape, brightness, np.int16)
        voxels[2:4] += 50
        path = engine.root / f"{project.key} {name}.nii.gz"
        write_volume(path, Volume(voxels, GRID))
        client.add_case(project.key, name, [path])
    first = client.suggestion(project.key)
    assert first.case is not None
    assert first.case.name in ("usual", "usual too")
    assert first.why == "typical"
    assert "most typical of 4 scans" in first.reason
    drawing = write_drawing(engine.root / f"{project.key} suggested.nii.gz")
    client.save_annotation(project.key, first.case.id, drawing)
    second = client.suggestion(project.key)
    assert second.case is not None
    assert second.why == "unlike"
    assert second.case.name in ("dark", "bright")
    with OpenProject.open(Path(project.folder)) as opened:
        propose(opened, "dark", 0.2)
        propose(opened, "bright", 0.4)
    third = client.suggestion(project.key)
    assert third.case is not None
    assert (third.case.name, third.why) == ("bright", "uncertain")
    assert "0.40" in third.reason
    for case in client.cases(project.key).cases:
        client.set_role(project.key, case.id, "excluded")
    assert client.suggestion(project.key).case is None


def test_a_thumbnail_shows_the_slice_with_the_annotation_and_follows_it(
    engine: Engine, client: Client, project: Project
) -> None:
    case = client.add_case(project.key, "a", [write_scan(engine.root / f"{project.key} t.nii.gz")])
    plain = client.thumbnail(project.key, case.id)
    picture = np.asarray(Image.open(io.BytesIO(plain)))
    assert max(picture.shape[:2]) == 160
    assert not _colored(picture).any()
    client.save_annotation(project.key, case.id, write_drawing(engine.root / f"{project.key} d.nii.gz"))
    drawn = client.thumbnail(project.key, case.id)
    assert _colored(np.asarray(Image.open(io.BytesIO(drawn)))).any()
    kept = list((Path(project.folder) / "cache" / "thumbnails").iterdir())
    assert [path.read_bytes() for path in kept] == [drawn]
    address = f"/v1/projects/{project.key}/cases/{case.id}/thumbnail"
    tag = engine.request("GET", address).headers["ETag"]
    headers = {"Authorization": f"Bearer {engine.token}", "If-None-Match": tag}
    assert engine.request("GET", address, headers=headers).status_code == 304


def _colored(picture: np.ndarray) -> np.ndarray:
    return np.ptp(picture.astype(int), axis=-1) > 30


def test_a_scan_that_cannot_be_read_has_no_thumbnail_but_a_reason(
    engine: Engine, client: Client, project: Project
) -> None:
    scan = write_scan(engine.root / f"{project.key} gone.nii.gz")
    case = client.add_case(project.key, "a", [scan])
    scan.write_bytes(scan.read_bytes()[:-40])
    with pytest.raises(EngineError, match="is damaged"):
        client.thumbnail(project.key, case.id)


def test_an_older_version_of_an_annotation_counts_again_as_a_new_one(
    engine: Engine, client: Client, project: Project
) -> None:
    case = client.add_case(project.key, "a", [write_scan(engine.root / f"{project.key} v.nii.gz")])
    first = client.save_annotation(project.key, case.id, write_drawing(engine.root / "one.nii.gz"))
    write_volume(engine.root / "two.nii.gz", Volume(np.ones(GRID.shape, dtype=np.uint8), GRID))
    client.save_annotation(project.key, case.id, engine.root / "two.nii.gz")
    restored = client.restore_annotation(project.key, case.id, 1, author="Dr. B")
    assert (restored.version, restored.restored_from, restored.author) == (3, 1, "Dr. B")
    current = client.case(project.key, case.id).annotation
    assert current == restored
    assert Path(restored.path).read_bytes() == Path(first.path).read_bytes()
    client.undo(project.key, case.id)
    back = client.case(project.key, case.id).annotation
    assert back is not None
    assert back.version == 2
    assert (read_labels(Path(back.path)).volume.array == 1).all()
    with pytest.raises(EngineError, match="no annotation with version 9"):
        client.restore_annotation(project.key, case.id, 9)


def test_a_proposal_tells_its_uncertain_places(engine: Engine, client: Client, project: Project) -> None:
    client.add_case(project.key, "a", [write_scan(engine.root / f"{project.key} r.nii.gz")])
    region = UncertainRegion((0, 1, 2, 3, 4, 5), (1, 2, 3), 0.5)
    values = np.zeros(GRID.shape, dtype=np.uint8)
    with OpenProject.open(Path(project.folder)) as opened:
        uncertain = np.zeros(GRID.shape, dtype=np.float32)
        opened.add_pseudo_label(
            "a", values, uncertain, score=0.1, model_id="m", worst_slice=0, regions=[region, region]
        )
    proposal = client.case(project.key, "a").pseudo_label
    assert proposal is not None
    assert [(r.box, r.centre, r.share) for r in proposal.regions] == [
        (region.box, region.centre, region.share)
    ] * 2


def test_models_are_compared_fact_by_fact(client: Client, project: Project) -> None:
    with OpenProject.open(Path(project.folder)) as opened:
        ids = []
        for name, dice in (("first", 0.8), ("second", 0.9)):
            model_id, folder = opened.new_model_folder()
            card = {
                "id": model_id,
                "name": name,
                "method": "supervised",
                "heads": ["segmentation"],
                "created": "2026-01-01T00:00:00+00:00",
                "medssl_version": "0.1.0",
                "annotated_cases": 2,
                "unannotated_cases": 0,
                "steps": 10,
                "seconds": 1.0,
                "seed": 0,
                "validation_dice": {"Head": dice},
            }
            (folder / CARD).write_text(json.dumps(card), encoding="utf-8")
            opened.register_model(model_id, name=name, method="supervised")
            ids.append(model_id)
    found = {fact.name: fact for fact in client.compare_models(project.key, ids)}
    assert found["validation dice, Head"].values == ("0.8", "0.9")
    assert found["validation dice, Head"].differs
    assert not found["steps"].differs
    assert client.model(project.key, ids[0]).can_segment
    with pytest.raises(EngineError, match="no model 'none'"):
        client.compare_models(project.key, [ids[0], "none"])


def test_a_line_of_a_live_table_reaches_the_client_as_a_row(
    engine: Engine, client: Client, project: Project
) -> None:
    row = FolderRow("sub/scan", Path("/in/scan.nii"), "/in/scan.nii", "done", Path("/out/sub/scan.nii.gz"))
    told = row.as_event(Path("/out"))
    assert (told.name, told.state, told.output) == ("sub/scan", "done", "sub/scan.nii.gz")
    empty = engine.root / f"{project.key} empty"
    empty.mkdir()
    job = client.submit(project.key, {"kind": "import", "folder": str(empty)})
    client.watch(project.key, job.id, on_event=lambda event: None).join(60)
    with (Path(job.folder) / "events.jsonl").open("a", encoding="utf-8") as file:
        file.write(Row(name="b", state="failed", note="It is empty.").model_dump_json() + "\n")
        file.write(Row(name="c", state="done", volumes_ml={"Head": 1.5}, uncertainty=0.25).model_dump_json())
        file.write("\n")
    failed, done = client.events(project.key, job.id)[-2:]
    assert (failed.kind, failed.name, failed.state, failed.note) == ("row", "b", "failed", "It is empty.")
    assert (done.volumes_ml, done.uncertainty) == ({"Head": 1.5}, 0.25)
