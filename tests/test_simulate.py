"""Replaying labelled data: what is read, that a cell is asked once and alike every time, that results survive, and what they sum up to."""

import csv
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from annot.cli import main
from annot.errors import AnnotError, BadInput, UnknownName
from annot.loop.sample import FOLDER
from annot.settings import Workspace
from annot.simulate import cell as cells
from annot.simulate import command, grid, page, report
from annot.simulate.data import load
from annot.simulate.grid import Result
from annot.simulate.replay import Replay, balanced, replay


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled sample as a folder with train and test."""
    folder = tmp_path_factory.mktemp("data") / "larkfield"
    folder.mkdir()
    with (FOLDER / "gold.csv").open(encoding="utf-8", newline="") as file:
        gold = {row["id"]: row["label"] for row in csv.DictReader(file)}
    with (FOLDER / "messages.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], gold[row["id"]]) for row in csv.DictReader(file)]
    write(folder / "train.csv", rows)
    with (FOLDER / "test.csv").open(encoding="utf-8", newline="") as file:
        write(folder / "test.csv", [(row["text"], row["label"]) for row in csv.DictReader(file)])
    return folder


def write(path: Path, rows: list[tuple[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows(rows)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("vectors")


def test_a_folder_is_read_into_a_pool_and_a_test_part(sample: Path) -> None:
    data = load(sample, 200, 50)
    assert (data.name, data.pool, len(data.texts), data.exclusive) == ("larkfield", 200, 250, True)
    assert data.targets.shape == (250, len(data.labels))
    assert (data.targets.sum(axis=1) == 1).all()
    train = {text for text, _, _ in _rows(sample / "train.csv")}
    assert set(data.texts[: data.pool]) <= train


def _rows(path: Path) -> list[tuple[str, str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [(row["text"], row["label"], "") for row in csv.DictReader(file)]


def test_on_dev_nothing_of_the_test_part_is_seen(sample: Path) -> None:
    train = {text for text, _, _ in _rows(sample / "train.csv")}
    data = load(sample, 300, 100, judge="dev")
    assert set(data.texts) <= train
    assert not set(data.texts[: data.pool]) & set(data.texts[data.pool :])


def test_one_file_is_split_by_its_split_column_or_at_random(tmp_path: Path) -> None:
    rows = [{"text": f"text {n}", "label": "ab"[n % 2], "split": "test" if n < 4 else "train"} for n in range(20)]
    whole, marked = tmp_path / "whole.jsonl", tmp_path / "marked.jsonl"
    marked.write_text("\n".join(json.dumps(row) for row in rows))
    whole.write_text("\n".join(json.dumps({"text": row["text"], "label": row["label"]}) for row in rows))
    assert load(marked, 100, 100).texts[16:] == [f"text {n}" for n in range(4)]
    assert (load(whole, 100, 100).pool, len(load(whole, 100, 100).texts)) == (14, 20)


def test_several_labels_and_labels_above_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    write(folder / "train.csv", [("one", '["a", "b"]'), ("two", '["c"]'), ("three", '["a"]')])
    write(folder / "test.csv", [("four", '["b"]')])
    (folder / "hierarchy.json").write_text(json.dumps({"x": ["a", "b"], "y": ["c"]}))
    write(folder / "train.csv", [("one", '["a", "b"]'), ("two", '["c"]'), ("three", '["a"]'), ("none", "[]")])
    assert load(folder, 10, 9).pool == 4  # no label is an answer where several may hold
    write(folder / "train.csv", [("one", '["a", "b"]'), ("two", '["c"]'), ("three", '["a"]')])
    data = load(folder, 9, 9)
    assert (data.labels, data.exclusive) == (["a", "b", "c"], False)
    assert data.targets[:3].tolist() == [[1, 1, 0], [0, 0, 1], [1, 0, 0]]
    assert load(folder, 9, 9, "parent").labels == ["x", "y"]


@pytest.mark.parametrize(
    ("rows", "words"),
    [([("one", "a"), ("two", "a")], "1 labels"), ([], "0 texts")],
)
def test_what_cannot_be_simulated_is_said(tmp_path: Path, rows: list[tuple[str, str]], words: str) -> None:
    write(tmp_path / "train.csv", rows)
    write(tmp_path / "test.csv", [("three", "a")])
    with pytest.raises(BadInput, match=words):
        load(tmp_path, 10, 10)


def test_a_missing_file_and_a_missing_column_are_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no file or folder"):
        load(tmp_path / "nothing", 1, 1)
    with pytest.raises(BadInput, match="train and a test"):
        load(tmp_path, 1, 1)
    (tmp_path / "texts.csv").write_text("text\none\n")
    with pytest.raises(BadInput, match="no column with labels"):
        load(tmp_path / "texts.csv", 1, 1)
    write(tmp_path / "train.csv", [("one", "a"), ("two", "b")])
    write(tmp_path / "test.csv", [("three", "a")])
    with pytest.raises(BadInput, match=r"hierarchy\.json"):
        load(tmp_path, 1, 1, "parent")


def test_the_key_tells_cells_apart_by_choices_and_content_and_not_by_where_the_data_lies(tmp_path: Path) -> None:
    one = cells.make("/here/trec6", "breaking_ties", 1)
    assert cells.make("/there/trec6", "breaking_ties", 1).key == one.key
    others = [cells.make("/here/trec6", "breaking_ties", 2), cells.make("/here/mr", "breaking_ties", 1), replace(one, run_steps=7)]
    assert len({one.key, *(other.key for other in others)}) == 4
    keys = []
    for folder, text in (("a", "one"), ("b", "one"), ("c", "two")):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "mine.csv", [(text, "x")])
        keys.append(cells.make(str(tmp_path / folder / "mine.csv"), "random", 1).key)
    assert keys[0] == keys[1] != keys[2]


def test_policies_are_names_selectors_or_a_selector_with_a_method() -> None:
    chosen = cells.make("d", "typiclust+ust", 1)
    assert (chosen.selector, chosen.self_training, chosen.guard) == ("typiclust", "ust", False)
    assert cells.make("d", "entropy".replace("entropy", "prediction_entropy"), 1).selector == "prediction_entropy"
    with pytest.raises(UnknownName, match="breaking_ties"):
        cells.make("d", "best", 1)
    with pytest.raises(UnknownName, match="hast"):
        cells.make("d", "breaking_ties+magic", 1)
    with pytest.raises(BadInput, match="first labels"):
        cells.make("d", "random", 1, first=1)
    assert cells.make("d", "random_4x", 1, labels=50, first=10, runs_at=(10, 50)).runs_at == (10, 50, 100, 200)


def test_the_default_policy_is_what_a_new_project_does() -> None:
    cell = cells.make("d", "default", 1)
    wanted = (cells.DEFAULTS.selector, cells.DEFAULTS.cold_start, cells.DEFAULTS.self_training, cells.DEFAULTS.run_steps)
    assert (cell.selector, cell.cold_start, cell.self_training, cell.run_steps) == wanted
    assert (cell.initial, cell.guard) == ("cold", True)


def test_balanced_first_labels_come_class_by_class(sample: Path) -> None:
    data = load(sample, 300, 10)
    chosen = balanced(data, 16, np.random.default_rng(1))
    assert len(set(chosen)) == 16
    assert (data.targets[chosen].sum(axis=0) == 2).all()
    assert len(balanced(data, 1_000, np.random.default_rng(1))) == 300


def test_a_replay_asks_each_text_once_learns_and_is_repeatable(sample: Path, cache: Path) -> None:
    data = load(sample, 300, 150)
    cell = cells.make(str(sample), "breaking_ties+hast", 1, labels=60, first=16, query=10, guard=True)
    states = [replay(cell, data, cache) for _ in range(2)]
    assert [point.labels for point in states[0].points] == [16, 26, 36, 46, 56, 60]
    assert len(set(states[0].labelled)) == 60
    assert max(states[0].labelled) < data.pool
    assert states[0].labelled == states[1].labelled
    assert [point.accuracy for point in states[0].points] == [point.accuracy for point in states[1].points]
    assert states[0].points[-1].accuracy > states[0].points[0].accuracy
    assert [found["labels"] for found in states[0].checks] == [16, 26, 36, 46, 56, 60]
    assert replay(replace(cell, seed=2), data, cache).labelled != states[0].labelled


def test_the_whole_pool_can_be_labelled(sample: Path, cache: Path) -> None:
    data = load(sample, 100, 50)
    state = replay(cells.make(str(sample), "all", 1), data, cache)
    assert sorted(state.labelled) == list(range(100))
    state = replay(cells.make(str(sample), "random", 1, labels=130, first=30, query=40), data, cache)
    assert sorted(state.labelled) == list(range(100))


def test_results_are_kept_and_not_made_again(sample: Path, tmp_path: Path, cache: Path) -> None:
    out = tmp_path / "kept" / "results.jsonl"
    wanted = [cells.make(str(sample), "random", seed, labels=30, first=20, pool=200, test=50) for seed in (1, 2)]
    told: list[str] = []
    first = grid.run(wanted, out, cache, 1, told.append)
    assert [result.cell["seed"] for result in first] == [1, 2]
    with out.open("a") as file:
        file.write('{"key": "cut sho')  # killed in the middle of a line
    before = out.read_text().splitlines()[:2]
    again = grid.run([*wanted, replace(wanted[0], seed=3)], out, cache, 1, told.append)
    assert out.read_text().splitlines()[:2] == before
    assert [asdict(one) for one in again[:2]] == [asdict(one) for one in first]
    assert len(grid.read(out)) == 3
    assert sum("known" in words for words in told) == 2
    assert again[0].versions["small-text"]
    assert again[0].cell["metric"] == "accuracy"


def test_a_damaged_result_and_a_failing_cell_are_said(sample: Path, tmp_path: Path, cache: Path) -> None:
    out = tmp_path / "results.jsonl"
    out.write_text('{"key": 1}\n{}\n')
    with pytest.raises(BadInput, match="line 1"):
        grid.read(out)
    out.unlink()
    told: list[str] = []
    bad = cells.make(str(tmp_path / "gone"), "random", 1, labels=30)
    good = cells.make(str(sample), "random", 1, labels=30, pool=200, test=50)
    assert len(grid.run([bad, good], out, cache, 1, told.append)) == 1
    assert any("no file or folder" in words for words in told)
    with pytest.raises(AnnotError, match="no file or folder"):
        grid.run([bad], out, cache, 1)


def made(policy: str, seed: int, scores: dict[int, float], data: str = "toy") -> Result:
    points = [
        {"labels": labels, "accuracy": score, "macro_f1": 0.0, "model": model, "pseudo": 0, "seconds": 1.0}
        for model, (labels, score) in enumerate(scores.items(), 1)
    ]
    cell = asdict(cells.make(data, policy, seed)) | {"metric": "accuracy", "texts": 2_000}
    return Result(f"{policy}{seed}{data}", cell, points, [], 2.0, {"torch": "2"}, "x", 0.0)


RESULTS = [
    made("default", 1, {30: 0.5, 80: 0.7, 130: 0.9}),
    made("default", 2, {30: 0.5, 80: 0.7, 130: 0.8}),
    made("random_4x", 1, {30: 0.4, 80: 0.5, 130: 0.6, 260: 0.8, 520: 0.85}),
    made("random_4x", 2, {30: 0.4, 80: 0.5, 130: 0.6, 260: 0.8, 520: 0.85}),
    made("all", 1, {2000: 0.95}),
]


def test_the_summary_is_what_one_would_reckon_by_hand() -> None:
    default, random = report.summarise([result for result in RESULTS if result.cell["policy"] != "all"])
    assert (default.seeds, default.labels, random.labels) == (2, 130, 130)
    assert default.final == pytest.approx(0.85)
    assert default.final_sd == pytest.approx(0.0707, abs=1e-4)
    assert default.area == pytest.approx((0.7 + 0.675) / 2)
    assert random.final == pytest.approx(0.6)
    assert "default" in report.table([default, random])


def test_results_of_another_setting_are_not_averaged_in() -> None:
    other = made("default", 1, {30: 0.1, 130: 0.1})
    other = replace(other, key="other", cell=other.cell | {"judge": "dev"})
    again = replace(RESULTS[0], key="again", finished_at=1.0)
    assert report.comparable([other, *RESULTS, again]) == [*RESULTS[1:], again]


@pytest.mark.parametrize(
    ("target", "expected"), [(0.3, 30.0), (0.5, 80.0), (0.55, 105.0), (0.6, 130.0), (0.7, 195.0), (0.85, 520.0), (0.9, None)]
)
def test_labels_to_a_target_are_read_off_the_curve(target: float, expected: float | None) -> None:
    found = report.labels_to_reach([(30, 0.4), (80, 0.5), (130, 0.6), (260, 0.8), (520, 0.85)], target)
    assert found == (None if expected is None else pytest.approx(expected))


def test_curves_are_drawn_and_kept_as_charts(tmp_path: Path) -> None:
    (picture,) = report.draw(RESULTS, tmp_path)
    assert picture.read_bytes().startswith(b"\x89PNG")
    chart = json.loads((tmp_path / "toy.json").read_text())
    assert len(chart["layer"]) == 3


def test_the_page_says_what_the_results_say_and_keeps_what_is_not_its_own(tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.md"
    path.write_text("# Benchmarks\n\nBefore.\n\nAfter.\n")
    page.write(RESULTS[:1], path)
    path.write_text(path.read_text().replace("Before.\n\nAfter.", "Before.") + "\nAfter.\n")
    stale = path.read_text()
    page.write(RESULTS, path)
    text = path.read_text()
    assert text.count("## Strategies") == 1
    assert text != stale
    assert text.startswith("# Benchmarks\n\nBefore.")
    assert text.rstrip().endswith("After.")
    assert "| default | 2 | 0.850 ± 0.071 |" in text
    assert "0.950" in text  # all labels
    assert "| 520 | 4.0 |" in text  # 130 labels of the default reach what random draws needed 520 for
    page.write(RESULTS, path)
    assert path.read_text() == text
    with pytest.raises(BadInput, match="no results"):
        page.write([], path)


def test_the_factor_is_read_off_fine_tuned_points_only() -> None:
    untuned = [point | {"model": 4} for point in made("random_4x", 1, {300: 0.8, 510: 0.8}).points]
    randoms = [replace(one, points=[*one.points[:4], *untuned, one.points[4]]) for one in RESULTS[2:4]]
    row = page.saving_table([*RESULTS[:2], *randoms])[-1]
    assert "| 520 | 4.0 |" in row
    lower = [replace(result, points=[*result.points[:2], result.points[2] | {"accuracy": 0.825}]) for result in RESULTS[:2]]
    assert "| 390 | 3.0 |" in page.saving_table([*lower, *randoms])[-1]


def test_the_default_is_compared_on_seeds_that_both_have_and_what_is_missing_is_said() -> None:
    other = made("breaking_ties", 2, {30: 0.4, 80: 0.6, 130: 0.8, 180: 0.1})
    assert page.saving_table([*RESULTS[:2], other])[2:] == [
        "| toy | 0.850 at 130 (2) | not run | not run | not run | +7.5 points (1) | not run |"
    ]
    assert page.saving_table([*RESULTS[:3], other])[2].startswith("| toy | 0.900 at 130 (1) | more than 520 | over 4.0 |")
    untuned = replace(RESULTS[2], points=[point | {"model": 0} for point in RESULTS[2].points])
    assert "| 0.900 at 130 (1) | not run | not run |" in page.saving_table([RESULTS[0], untuned])[2]
    later = made("breaking_ties", 1, {200: 0.9, 300: 0.9})
    assert page.saving_table([RESULTS[0], later])[2].endswith("| not run | not run | not run |")


def test_a_run_is_made_once_its_count_is_reached_or_passed(sample: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_at: list[int] = []
    monkeypatch.setattr(Replay, "run", lambda state, scratch: made_at.append(len(state.labelled)))
    cell = cells.make(str(sample), "random", 1, labels=70, first=20, query=20, runs_at=(20, 45, 50, 70))
    replay(cell, load(sample, 200, 50), cache)
    assert made_at == [20, 60, 70]


def test_runs_are_spread_over_the_labels_and_one_comes_last() -> None:
    assert command.runs_at(30, 130, 50) == (30, 80, 130)
    assert command.runs_at(30, 120, 50) == (30, 80, 120)
    assert command.runs_at(30, 130, 0) == ()


@pytest.mark.slow
def test_simulate_compares_policies_with_real_fine_tuning(
    home: Workspace, sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "results.jsonl"
    sizes = {"seeds": 1, "labels": 32, "first": 32, "run-every": 32, "run-steps": 8, "pool": 120, "test": 80, "jobs": 2}
    chosen = [word for name, value in sizes.items() for word in (f"--{name}", str(value))]
    arguments = ["simulate", "--data", str(sample), "--policies", "random", "default", *chosen, "--out", str(out)]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "default" in printed
    assert (tmp_path / "plots" / "larkfield.png").stat().st_size > 5_000
    results = {result.cell["policy"]: result for result in grid.read(out)}
    assert [point["model"] for point in results["default"].points] == [1]
    assert [found["run"] for found in results["default"].checks] == [False, True]
    assert all(result.points[-1]["accuracy"] > 0.4 for result in results.values())
    assert main(arguments) == 0  # all known


@pytest.mark.slow
@pytest.mark.parametrize("several", [False, True])
def test_small_texts_own_loop_runs_on_the_same_data(sample: Path, tmp_path: Path, cache: Path, several: bool) -> None:
    folder = tmp_path / "some" if several else sample
    for part in ("train.csv", "test.csv") if several else ():
        folder.mkdir(exist_ok=True)
        rows = _rows(sample / part)
        write(folder / part, [(text, json.dumps(sorted({label, rows[n // 2][1]}))) for n, (text, label, _) in enumerate(rows)])
    cell = cells.make(str(folder), "small-text", 1, labels=20, first=16, query=4, pool=40, test=30)
    (result,) = grid.run([cell], tmp_path / "results.jsonl", cache, 1)
    assert [point["labels"] for point in result.points] == [16, 20]
    assert all(0 <= point["accuracy"] <= 1 for point in result.points)


def test_a_wrong_option_is_said(home: Workspace, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["simulate", "--data", str(tmp_path / "none"), "--seeds", "0"]) == 1
    assert "--seeds" in capsys.readouterr().err
