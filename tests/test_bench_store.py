"""The benchmarks of the store run at small sizes and say what they promise. Their figures mean nothing here."""

import json

import pytest

from annot.bench import run_bench


def result_of(capsys: pytest.CaptureFixture[str], name: str, *options: str) -> dict[str, float]:
    assert run_bench(name, ["--json", *options]) == 0
    found: dict[str, float] = json.loads(capsys.readouterr().out)
    return found


def test_bench_labels_loses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    found = result_of(capsys, "labels", "--seconds", "0.5", "--clients", "3", "--items", "2000")
    assert found["lost"] == 0
    assert min(found[key] for key in ("store_per_s", "http_per_s", "p99_ms", "baseline_per_s", "ratio_to_baseline")) > 0


def test_bench_lease_gives_nothing_twice(capsys: pytest.CaptureFixture[str]) -> None:
    found = result_of(capsys, "lease", "--items", "1500", "--clients", "4", "--turns", "5", "--rate", "50", "--naive", "1")
    assert (found["doubled"], found["claims"]) == (0, 40)
    assert min(found[key] for key in ("p95_ms", "baseline_ms", "ratio_to_baseline")) > 0


def test_bench_import_measures_both_sides(capsys: pytest.CaptureFixture[str]) -> None:
    found = result_of(capsys, "import", "--rows", "500")
    assert min(found[key] for key in ("rows_per_s", "peak_mb", "baseline_rows_per_s", "ratio_to_baseline")) > 0
