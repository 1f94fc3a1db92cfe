"""Benchmarks run at small sizes and say what they promise. Their figures mean nothing here."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from annot.bench import _aged, lead, run_bench
from annot.bench import all as every
from annot.settings import Workspace


def result_of(capsys: pytest.CaptureFixture[str], name: str, *options: str) -> dict[str, Any]:
    assert run_bench(name, ["--json", *options]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def test_bench_labels_loses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    found = result_of(capsys, "labels", "--seconds", "0.5", "--clients", "3", "--items", "2000")
    assert found["lost"] == 0
    assert min(found[key] for key in ("store_per_s", "http_per_s", "p99_ms", "baseline_per_s", "ratio_to_baseline")) > 0


def test_bench_lease_gives_nothing_twice(capsys: pytest.CaptureFixture[str]) -> None:
    found = result_of(capsys, "lease", "--items", "1500", "--clients", "4", "--turns", "5", "--rate", "50", "--naive", "1")
    assert (found["doubled"], found["claims"]) == (0, 40)
    assert min(found[key] for key in ("p95_ms", "baseline_ms")) > 0
    assert found["ratio_to_baseline"] >= 0  # of so few items, on a busy machine, it may be rounded to nothing


def test_bench_import_measures_both_sides(capsys: pytest.CaptureFixture[str]) -> None:
    found = result_of(capsys, "import", "--rows", "500")
    assert min(found[key] for key in ("rows_per_s", "peak_mb", "baseline_rows_per_s", "ratio_to_baseline")) > 0


@pytest.mark.slow
def test_bench_lead_draws_the_whole_page_and_finds_the_facts_that_plain_queries_find(capsys: pytest.CaptureFixture[str]) -> None:
    found = result_of(capsys, "lead", "--items", "600", "--annotations", "300", "--rounds", "1")
    assert found["same_facts"] is True
    assert min(found["opens_s"]["p50"], found["refresh_s"]["p50"], found["ratio_to_baseline"], found["web_peak_mb"]) > 0


def test_the_project_that_bench_lead_visits_has_what_months_of_work_leave(home: Workspace) -> None:
    crowd = _aged.age(home, 400, 300).crowd
    facts, plain = lead.look(home, crowd.project), lead.look_plainly(home, crowd.project)
    assert lead.same(facts, plain)
    assert not lead.same(replace(facts, skipped=facts.skipped + 1), plain)
    assert facts.report is not None
    assert min(facts.spent, facts.audit, facts.skipped, len(facts.runs), len(facts.jobs), len(facts.per_day)) > 0
    assert {point.source for point in facts.curve} == {"test", "audit"}


@pytest.mark.slow
def test_bench_rerank_asks_the_same_as_small_text(capsys: pytest.CaptureFixture[str]) -> None:
    found = result_of(capsys, "rerank", "--items", "2000", "--labels", "2", "--known", "12", "--dimensions", "384")
    assert found["items"] == 2_000
    assert found["same_top100"] is True
    assert list(found["p50_s_by_items"]) == ["200", "600", "2000"]
    assert min(found[key] for key in ("p95_s", "peak_mb")) > 0
    assert found["ratio_to_baseline"] >= 0


@pytest.mark.slow
def test_bench_encode_and_run_measure_themselves_against_a_baseline_and_the_ceiling(capsys: pytest.CaptureFixture[str]) -> None:
    encode = result_of(capsys, "encode", "--texts", "24", "--rounds", "1")
    assert encode["min_cosine"] > 0.995
    for found in (encode, result_of(capsys, "run", "--texts", "12", "--steps", "1", "--rounds", "1")):
        assert 0 < found["share_of_ceiling"] < 1
        assert found["ratio_to_baseline"] > 0


def test_bench_all_writes_what_was_found_and_what_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"encode": {"texts": 2_000, "spread": {"p50": 0.5}}, "import": {"error": "The disk is full."}}
    monkeypatch.setattr(every, "figures", found.__getitem__)
    page = tmp_path / "page.md"
    assert every.main(["--only", "encode", "--page", str(page)]) == 0
    assert every.main(["--only", "encode", "import", "--page", str(page)]) == 1
    text = page.read_text()
    assert text.count("## Speed") == 1
    assert "| `texts` | 2,000 |" in text
    assert "| `spread` | p50: 0.5 |" in text
    assert "The disk is full." in text
    assert set(json.loads((tmp_path / "speed.json").read_text())) == {"encode", "import"}
