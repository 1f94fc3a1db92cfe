"""Files into a project: nothing twice, nothing half, every refusal with its line."""

import csv
from pathlib import Path

import pytest

from annot import formats
from annot.errors import BadInput
from annot.loop import exporting, importing
from annot.records import Kind, Split
from annot.store import Store

from .conftest import Small


def write_csv(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_importing_the_same_file_again_adds_nothing(store: Store, small: Small, tmp_path: Path) -> None:
    rows = [{"text": f"new {n // 2}", "extra": str(n)} for n in range(20)]  # each text twice
    path = write_csv(tmp_path / "a.csv", rows)
    first = importing.import_file(store, small.project, path, formats.Mapping(text="text"))
    again = importing.import_file(store, small.project, path, formats.Mapping(text="text"))
    assert (first.pool, first.known) == (20, 0)
    assert (again.pool, again.known, again.refused) == (0, 20, 0)
    assert store.items.page(small.project.id, 1)[0].metadata == {"extra": "19"}


def test_labels_and_splits_that_come_with_a_file_are_kept_as_imported(store: Store, small: Small, tmp_path: Path) -> None:
    rows = [
        {"text": "one", "label": "ham", "split": "pool"},
        {"text": "two", "label": "spam", "split": "test"},
        {"text": "three", "label": "", "split": ""},
    ]
    mapping = formats.Mapping(text="text", label="label", split="split")
    report = importing.import_file(store, small.project, write_csv(tmp_path / "a.csv", rows), mapping)
    assert (report.pool, report.test) == (2, 1)
    answers = {answer.external_id: answer for answer in store.answers.current(small.project.id)}
    assert {(answer.labels, answer.split.value, answer.reason, answer.user) for answer in answers.values()} == {
        ((small.labels[0].id,), "pool", "imported", "import"),
        ((small.labels[1].id,), "test", "imported", "import"),
    }


def test_bad_rows_are_reported_with_their_line_and_the_rest_goes_in(store: Store, small: Small, tmp_path: Path) -> None:
    rows = [{"id": "1", "text": "good"}, {"id": "2", "text": " "}, {"id": "1", "text": "another"}, {"id": "4", "text": "fine"}]
    report = importing.import_file(store, small.project, write_csv(tmp_path / "a.csv", rows), formats.Mapping(text="text", id="id"))
    assert (report.pool, report.refused) == (2, 2)
    assert [line for line, _ in sorted(report.problems)] == [3, 4]
    assert "already taken" in dict(report.problems)[4]


def test_an_unknown_label_is_refused_naming_the_known_ones(store: Store, small: Small, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [{"text": "x", "label": "eggs"}])
    report = importing.import_file(store, small.project, path, formats.Mapping(text="text", label="label"))
    assert report.refused == 1
    assert "'eggs' is not in the project's label set (ham, spam)" in report.problems[0][1]


def test_strict_refuses_the_whole_file(store: Store, small: Small, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [{"text": "good"}, {"text": " "}])
    with pytest.raises(BadInput, match=r"a\.csv, line 3: .* Nothing was imported"):
        importing.import_file(store, small.project, path, formats.Mapping(text="text"), strict=True)
    assert store.items.search(small.project.id, "good", 1) == []
    assert importing.import_file(store, small.project, path, formats.Mapping(text="text")).pool == 1


HOSTILE = ["<script>alert(1)</script>", "a\0b", "\u202eabc", "😀 emoji", "x" * 100_000, 'quote " and, comma\nline', " padded "]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_hostile_text_is_exported_unchanged(store: Store, small: Small, tmp_path: Path, kind: str) -> None:
    formats.write("jsonl", tmp_path / "in.jsonl", [{"text": text, "label": "ham"} for text in HOSTILE])
    importing.import_file(store, small.project, tmp_path / "in.jsonl", formats.Mapping(text="text", label="label"))
    out = tmp_path / f"out.{kind}"
    formats.write(kind, out, exporting.export_rows(store, small.project, Split.POOL), columns=exporting.COLUMNS)
    rows = [row for row in formats.read(out, formats.Mapping(text="text")) if isinstance(row, formats.Row)]
    assert [row.text for row in rows] == HOSTILE


def test_an_export_row_says_where_its_label_came_from(store: Store, small: Small) -> None:
    from annot.loop import labelling
    from annot.records import Event

    lease = labelling.sync(store, small.project, small.lead, "t", events=[], hold=[], want=1).leases[0]
    event = Event("uid-00001", Kind.LABEL, lease.item, (small.labels[1].id,), lease=lease.id, seconds=2.5)
    labelling.sync(store, small.project, small.lead, "t", events=[event], hold=[], want=0)
    (row,) = exporting.export_rows(store, small.project)
    assert set(row) == set(exporting.COLUMNS)
    assert (row["text"], row["labels"], row["annotator"], row["reason"], row["seconds"], row["uid"]) == (
        lease.text, ["spam"], "ada", "random", 2.5, "uid-00001",
    )  # fmt: skip
