"""The studies behind docs/estimates.md, on a small made-up data set; what they found is in their facts."""

import json
from pathlib import Path

import numpy as np
import pytest

from annot.errors import BadInput, UnknownName
from annot.simulate.data import Dataset
from annot.simulate.studies import coverage, page


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.setattr(coverage, "POOL", 200)
    monkeypatch.setattr(coverage, "AUDITS", (5, 15))
    rng = np.random.default_rng(0)
    targets = np.eye(3, dtype=np.float32)[rng.integers(3, size=300)]
    return Dataset("made up", [f"text {n}" for n in range(300)], targets, ["a", "b", "c"], True, 300)


def vectors_of(dataset: Dataset) -> np.ndarray:
    rng = np.random.default_rng(1)
    found = dataset.targets @ rng.normal(size=(3, 8)) + 0.8 * rng.normal(size=(len(dataset.texts), 8))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float16)


def test_a_project_is_replayed_with_audit_items_that_are_never_trained_on(small: Dataset) -> None:
    found = list(coverage.moments(small, vectors_of(small), np.eye(3, 8, dtype=np.float16), seed=1))
    assert [len(one.audit) for one in found] == [5, 15]
    for one in found:
        assert not np.intersect1d(one.trained, one.audit).size
        assert len(np.unique(one.trained)) == len(one.trained)
        assert one.proba.shape == (200, 3)


def test_every_method_is_measured_against_the_truth_and_tabled(small: Dataset) -> None:
    (_, moment) = coverage.moments(small, vectors_of(small), np.eye(3, 8, dtype=np.float16), seed=1)
    hits = coverage.hits(moment, seed=1)
    assert set(hits) == {*coverage.ACCURACY, *coverage.MACRO_F1}
    assert all(width >= 0 and (abs(off) <= width or not held) for off, held, width in hits.values())
    rows = [
        {"data": "made up", "audit": n, "method": name, "projects": 1, "bias": off, "covered": float(held), "width": width}
        for n in (5, 15)
        for name, (off, held, width) in hits.items()
    ]
    assert sum(line.startswith("| made up |") for line in coverage.table({"pool": 200, "rows": rows})) == 4


def test_facts_of_other_data_sets_are_kept_beside_new_ones(tmp_path: Path) -> None:
    def facts(name: str, covered: float) -> dict[str, object]:
        methods = (*coverage.ACCURACY, *coverage.MACRO_F1)
        return {
            "pool": 1,
            "rows": [
                {"data": name, "audit": n, "method": method, "projects": 9, "bias": 0.0, "covered": covered, "width": 0.1}
                for n in coverage.AUDITS
                for method in methods
            ],
        }

    out = tmp_path / "estimates.md"
    for made in (facts("one", 0.5), facts("two", 0.9), facts("one", 0.8)):
        page.keep("coverage", made, out)
    kept = {row["data"]: row["covered"] for row in json.loads(out.with_suffix(".json").read_text())["coverage"]["rows"]}
    assert kept == {"one": 0.8, "two": 0.9}
    assert "| one | 30 | 80 %" in out.read_text()
    assert page.TITLES["coverage"] in out.read_text()


def test_an_unknown_study_and_one_without_data_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="coverage"):
        page.run("nonsense", [tmp_path], 1, tmp_path, tmp_path)
    with pytest.raises(BadInput, match="--data"):
        page.run("coverage", [], 1, tmp_path, tmp_path)
