from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from full_disk import fill_disk
from medssl.errors import LabelError, ProjectError, StorageError, UsageError
from medssl.labels import LabelSchema, Segment
from medssl.project import DATABASE_NAME, Project
from medssl.project.migrations import MIGRATIONS


def test_a_project_opens_again_as_it_was_made(tmp_path: Path, schema: LabelSchema) -> None:
    folder = tmp_path / "My study. \u00c4rzte" / "deep"
    with Project.create(folder, schema, ("T1", "T2"), name="Knees"):
        pass
    with Project.open(folder) as project:
        assert project.folder == folder
        assert (project.name, project.channel_names, project.schema) == ("Knees", ("T1", "T2"), schema)
        assert project.cases() == []


def test_a_project_has_the_name_of_its_folder_when_none_is_given(tmp_path: Path, schema: LabelSchema) -> None:
    with Project.create(tmp_path / "knees", schema) as project:
        assert project.name == "knees"


def test_a_closed_project_is_one_file_that_can_be_copied(project: Project, tmp_path: Path) -> None:
    project.close()
    assert [path.name for path in project.folder.iterdir()] == [DATABASE_NAME]


def test_a_copied_project_goes_on_elsewhere(
    project: Project, make_scan: Callable[..., Path], drawn: np.ndarray, tmp_path: Path
) -> None:
    project.add_case("A", [make_scan()], copy=True)
    project.save_annotation("A", drawn)
    project.close()
    shutil.copytree(project.folder, tmp_path / "elsewhere")
    shutil.rmtree(project.folder)
    with Project.open(tmp_path / "elsewhere") as copied:
        case = copied.case("A")
        assert case.annotation is not None
        np.testing.assert_array_equal(copied.read_annotation(case.annotation), drawn)
        copied.save_annotation("A", drawn)


def test_a_second_project_in_the_same_folder_is_refused_and_the_first_stays(
    project: Project, schema: LabelSchema
) -> None:
    with pytest.raises(ProjectError, match=r"a project in .* already"):
        Project.create(project.folder, schema)
    with Project.open(project.folder) as again:
        assert again.schema == schema


def test_a_folder_with_something_else_in_it_is_refused(tmp_path: Path, schema: LabelSchema) -> None:
    (tmp_path / "thesis.docx").touch()
    with pytest.raises(ProjectError, match=r"not empty: it holds thesis\.docx"):
        Project.create(tmp_path, schema)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.docx"]


@pytest.mark.parametrize("channels", [(), ("T1", "T1"), ("",), ("T1\n",) * 2])
def test_channels_without_names_of_their_own_are_refused(
    tmp_path: Path, schema: LabelSchema, channels: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError):
        Project.create(tmp_path / "p", schema, channels)
    assert not (tmp_path / "p").exists()


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path, schema: LabelSchema) -> None:
    (tmp_path / "taken").write_text("mine", encoding="utf-8")
    with pytest.raises(StorageError, match="a file stands where a folder is needed"):
        Project.create(tmp_path / "taken", schema)
    with pytest.raises(StorageError, match="a file stands where a folder is needed"):
        Project.create(tmp_path / "taken" / "below", schema)
    assert (tmp_path / "taken").read_text(encoding="utf-8") == "mine"


def test_a_folder_without_a_project_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="no project") as caught:
        Project.open(tmp_path)
    assert str(tmp_path) in caught.value.what
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_may_not_be_written_is_told_when_making_a_project(
    read_only_folder: Path, schema: LabelSchema
) -> None:
    with pytest.raises(StorageError, match="may not be written"):
        Project.create(read_only_folder, schema)
    with pytest.raises(StorageError, match="may not be written"):
        Project.create(read_only_folder / "new", schema)


def test_a_project_that_may_not_be_written_is_told_when_opening_it(
    project: Project, make_read_only: Callable[[Path], None]
) -> None:
    project.close()
    make_read_only(project.folder)
    with pytest.raises(StorageError, match="may not be written") as caught:
        Project.open(project.folder)
    assert str(project.folder) in caught.value.what


def test_a_project_on_a_full_disk_is_told_as_such_and_opens_again_with_room(
    small_disk: Path, schema: LabelSchema
) -> None:
    Project.create(small_disk / "project", schema).close()
    filler = fill_disk(small_disk)

    with pytest.raises(StorageError, match="The disk is full"):
        Project.open(small_disk / "project")

    filler.unlink()
    with Project.open(small_disk / "project") as project:
        assert project.schema == schema


def test_a_project_of_a_newer_version_is_refused_and_stays_as_it_is(project: Project) -> None:
    project.close()
    database = project.folder / DATABASE_NAME
    with sqlite3.connect(database) as newer:
        newer.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    newer.close()
    before = database.read_bytes()
    with pytest.raises(ProjectError, match="newer version of MedSSL") as caught:
        Project.open(project.folder)
    assert "Update MedSSL" in caught.value.remedy
    assert database.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"this is not a database, " * 100, b"SQLite format 3\0" + b"\xff" * 4096]
)
def test_a_damaged_database_is_told_and_not_touched(tmp_path: Path, content: bytes) -> None:
    (tmp_path / DATABASE_NAME).write_bytes(content)
    with pytest.raises(ProjectError, match="damaged") as caught:
        Project.open(tmp_path)
    assert DATABASE_NAME in caught.value.what
    assert (tmp_path / DATABASE_NAME).read_bytes() == content


def test_a_copy_of_the_database_restored_as_told_holds_nothing_that_a_kill_left(
    project: Project, make_scan: Callable[..., Path], tmp_path: Path
) -> None:
    project.add_case("in the copy", [make_scan()])
    project.close()
    copy, killed = tmp_path / "copy.db", tmp_path / "killed"
    shutil.copyfile(project.folder / DATABASE_NAME, copy)
    with Project.open(project.folder) as running:
        running.add_case("after the copy", [make_scan()])
        shutil.copytree(running.folder, killed)  # what a kill in this moment leaves
    (killed / DATABASE_NAME).write_bytes(b"damaged")

    with pytest.raises(ProjectError, match="damaged") as caught:
        Project.open(killed)
    for name in re.findall(r"project\.db-\w+", caught.value.remedy):
        (killed / name).unlink(missing_ok=True)
    shutil.copyfile(copy, killed / DATABASE_NAME)

    with Project.open(killed) as restored:
        assert [case.name for case in restored.cases()] == ["in the copy"]


def test_another_programs_database_is_refused_and_not_touched(tmp_path: Path, schema: LabelSchema) -> None:
    with sqlite3.connect(tmp_path / DATABASE_NAME) as other:
        other.execute("CREATE TABLE photos (id)")
    other.close()
    for attempt in (lambda: Project.open(tmp_path), lambda: Project.create(tmp_path, schema)):
        with pytest.raises(ProjectError, match="another program"):
            attempt()
    with sqlite3.connect(tmp_path / DATABASE_NAME) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("photos",)]
    other.close()


def test_what_a_killed_creation_left_can_be_made_again(tmp_path: Path, schema: LabelSchema) -> None:
    (tmp_path / DATABASE_NAME).touch()
    with pytest.raises(ProjectError, match="never finished"):
        Project.open(tmp_path)
    with Project.create(tmp_path, schema) as project:
        assert project.cases() == []


def test_a_schema_may_grow_and_change_its_looks(project: Project, schema: LabelSchema) -> None:
    head, body = schema.segments
    tail = Segment(name="Tail", value=9, colour=(1, 2, 3))
    changed = LabelSchema(segments=(head.model_copy(update={"name": "Skull"}), body, tail))
    project.set_schema(changed)
    assert project.schema == changed
    with Project.open(project.folder) as again:
        assert again.schema == changed


def test_a_schema_that_is_another_by_now_than_the_one_that_was_seen_is_not_replaced(
    project: Project, schema: LabelSchema
) -> None:
    cyst, wall = (
        schema.model_copy(
            update={"segments": (*schema.segments, Segment(name=name, value=3, colour=(1, 2, 3)))}
        )
        for name in ("Cyst", "Wall")
    )
    project.set_schema(cyst, seen=schema)
    with pytest.raises(ProjectError, match=r"3 \(Cyst\)"):
        project.set_schema(wall, seen=schema)
    assert project.schema == cyst
    project.set_schema(wall, seen=cyst)
    assert project.schema == wall


def test_names_that_files_mix_up_are_refused_and_a_project_that_has_them_opens_whole(
    project: Project,
    schema: LabelSchema,
    make_scan: Callable[..., Path],
    drawn: np.ndarray,
    tmp_path: Path,
) -> None:
    mixed_up = LabelSchema.of_names({1: "Not annotated", 2: "Body"})
    with pytest.raises(LabelError, match="Not annotated"):
        Project.create(tmp_path / "other", mixed_up)
    with pytest.raises(LabelError, match="Not annotated"):
        project.set_schema(mixed_up)
    assert project.schema == schema
    with closing(sqlite3.connect(project.folder / DATABASE_NAME)) as database, database:  # an older project
        database.execute("UPDATE project SET label_schema = ?", (mixed_up.model_dump_json(),))
    with Project.open(project.folder) as older:
        older.add_case("A", [make_scan()])
        np.testing.assert_array_equal(older.read_annotation(older.save_annotation("A", drawn)), drawn)
        older.set_schema(schema)
        annotation = older.case("A").annotation
        assert annotation is not None
        np.testing.assert_array_equal(older.read_annotation(annotation), drawn)


@pytest.mark.parametrize(
    ("segments", "says"),
    [
        ({2: "Body"}, "lacks it"),
        ({1: "Body", 2: "Head"}, "gives it the value 2"),
        ({1: "Other", 5: "Head"}, "gives it the value 5"),
    ],
)
def test_a_segment_that_was_drawn_keeps_its_value(
    project: Project,
    schema: LabelSchema,
    make_scan: Callable[..., Path],
    drawn: np.ndarray,
    segments: dict[int, str],
    says: str,
) -> None:
    project.add_case("A", [make_scan()])
    project.save_annotation("A", np.where(drawn == 2, 0, drawn))
    with pytest.raises(LabelError, match=says):
        project.set_schema(LabelSchema.of_names(segments))
    assert project.schema == schema
    project.set_schema(LabelSchema.of_names({1: "Head"}))


def test_a_schema_keeps_what_an_undone_annotation_and_an_open_proposal_hold(
    project: Project, make_scan: Callable[..., Path], drawn: np.ndarray, propose: Callable[..., None]
) -> None:
    project.add_case("A", [make_scan()])
    project.save_annotation("A", np.where(drawn == 1, 1, 0).astype(np.uint8))
    project.undo("A")
    with pytest.raises(LabelError, match="Head"):
        project.set_schema(LabelSchema.of_names({2: "Body"}))
    propose("A", np.where(drawn == 2, 2, 0).astype(np.uint8))
    with pytest.raises(LabelError, match="Body"):
        project.set_schema(LabelSchema.of_names({1: "Head"}))
