"""The part of docs/benchmarks.md that is made from results of replays. Must not contain a number that is not in them."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from annot import generated
from annot.errors import BadInput
from annot.simulate import report
from annot.simulate.cell import ALL, LONG_RANDOM, SMALL_TEXT, WITHOUT
from annot.simulate.grid import Result

MAKER = "python -m annot simulate --page"

NOTES = (
    "`default` and `default_without_self_training` choose their first labels themselves; all others begin with labels drawn evenly from "
    "all classes, which needs gold labels nobody has. `breaking_ties+…` use pseudo-labels whether they help or not. `small-text` is its "
    "own loop: PoolBasedActiveLearner, breaking ties (where several labels may hold, which those do not know, label cardinality "
    "inconsistency), its transformer classifier with its defaults but a learning rate of 1e-4, as 2e-5 moves so small a model too "
    "little. In the first table only seeds that both sides have are compared; in brackets how many those are."
)


def write(results: Sequence[Result], path: Path) -> None:
    """Put the results' part into the page, in place of what an earlier call put there; the rest of the page stays."""
    if not results:
        raise BadInput("There are no results to write a page from. Run simulate with --data first, or name another --out.")
    results = report.comparable(results)
    generated.put(path, MAKER, section(results, path.parent), "Benchmarks")


def section(results: Sequence[Result], folder: Path) -> str:
    """Return the markdown of all data sets."""
    newest = max(results, key=lambda result: result.finished_at)
    parts = [
        "## Strategies compared on real data",
        "",
        f"{len(results)} replays, {sum(result.seconds for result in results) / 3600:.1f} core hours. "
        f"Versions of the newest: {', '.join(f'{name} {version}' for name, version in newest.versions.items())}; {newest.machine}, "
        f"{time.strftime('%Y-%m-%d', time.gmtime(newest.finished_at))}.",
        "Score: accuracy, or macro-F1 where several labels may hold or one prevails; mean ± standard deviation over the seeds. "
        "Area: mean height of the curve of the score between the first and the last label count.",
        NOTES,
        "",
        *saving_table(results),
    ]
    for data in dict.fromkeys(report.name_of(result) for result in results):
        parts += ["", f"### {data}", "", *data_table([result for result in results if report.name_of(result) == data])]
        if (folder / "img" / "benchmarks" / f"{data}.png").exists():
            parts += ["", f"![Curves on {data}](img/benchmarks/{data}.png)"]
    return "\n".join(parts) + "\n"


def data_table(results: Sequence[Result]) -> list[str]:
    """Return one data set's table, a row a policy, and the reference lines under it."""
    lines = report.summarise([result for result in results if result.cell["policy"] != ALL])
    if any(line.policy == LONG_RANDOM for line in lines):  # it begins with the same labels
        lines = [line for line in lines if line.policy != "random"]
    rows = ["| policy | seeds | score at the end | area |", "|---|---|---|---|"]
    for line in lines:
        final, area = (_spread(*pair, line.seeds) for pair in ((line.final, line.final_sd), (line.area, line.area_sd)))
        rows.append(f"| {_shown(line.policy)} | {line.seeds} | {final} | {area} |")
    if lines:
        rows += ["", f"At {lines[0].labels} labels, from a pool of {results[0].cell['texts']:,}; {lines[0].metric.replace('_f1', '-F1')}."]
    references = [f"random {labels}: {mean:.3f}" for labels, mean, _, _ in _random_curve(results) if labels in sorted(_tuned(results))[-3:]]
    if whole := [result for result in results if result.cell["policy"] == ALL]:
        curve = report.mean_curve(whole, whole[0].cell["metric"])
        references.append(f"all {curve[-1][0]:,} labels of the pool: {curve[-1][1]:.3f}")
    return [*rows, *(["", f"Reference, same fine-tuning: {'; '.join(references)}."] if references else [])]


def saving_table(results: Sequence[Result]) -> list[str]:
    """Return how many random labels do what the default does with its last count, and how the default's area stands to others'.

    Only seeds that both sides have are compared; in brackets how many those are.
    """
    rows = [
        "| data set | default at the end (seeds) | labels random draws need for it | factor "
        "| area minus small-text's | minus breaking ties' | minus its own without self-training |"
    ]
    rows.append("|---|---|---|---|---|---|---|")
    for data in dict.fromkeys(report.name_of(result) for result in results):
        mine = [result for result in results if report.name_of(result) == data]
        if any(result.cell["policy"] == "default" for result in mine):
            rows.append(f"| {data} | {_saving(mine)} | {' | '.join(_ahead_of(mine, other) for other in PEERS)} |")
    return rows


PEERS = (SMALL_TEXT, "breaking_ties", WITHOUT)


def _saving(mine: Sequence[Result]) -> str:
    pairs = _pairs(mine, LONG_RANDOM)
    default = [one for one, _ in pairs] or [result for result in mine if result.cell["policy"] == "default"]
    metric = default[0].cell["metric"]
    labels, final, _, seeds = report.mean_curve(default, metric)[-1]
    stood = f"{final:.3f} at {labels} ({seeds})"
    if not pairs:
        return f"{stood} | not run | not run"
    random = [other for _, other in pairs]
    # Between runs the encoder knows fewer labels than are counted, so only what was fine-tuned is compared.
    curve = [(count, mean) for count, mean, _, _ in report.mean_curve(random, metric) if count in _tuned(random)]
    if not curve:
        return f"{stood} | not run | not run"
    reached = report.labels_to_reach(curve, round(final, 6))
    if reached is None:
        return f"{stood} | more than {curve[-1][0]} | over {curve[-1][0] / labels:.1f}"
    return f"{stood} | {reached:.0f} | {reached / labels:.1f}"


def _ahead_of(mine: Sequence[Result], other: str) -> str:
    differences = []
    for pair in _pairs(mine, other):
        metric = pair[0].cell["metric"]
        ours, theirs = ({at["labels"]: at[metric] for at in one.points} for one in pair)
        if shared := sorted(ours.keys() & theirs.keys()):
            differences.append(report.area([(labels, ours[labels] - theirs[labels]) for labels in shared]))
    return f"{100 * sum(differences) / len(differences):+.1f} points ({len(differences)})" if differences else "not run"


def _pairs(mine: Sequence[Result], other: str) -> list[tuple[Result, Result]]:
    """Return the replays of the default beside the other policy's of the same seed."""
    theirs = {result.cell["seed"]: result for result in mine if result.cell["policy"] == other}
    return [(one, theirs[one.cell["seed"]]) for one in mine if one.cell["policy"] == "default" and one.cell["seed"] in theirs]


def _random_curve(results: Sequence[Result]) -> list[tuple[int, float, float, int]]:
    long = [result for result in results if result.cell["policy"] == LONG_RANDOM]
    return report.mean_curve(long, long[0].cell["metric"]) if long else []


def _tuned(results: Sequence[Result]) -> set[int]:
    """Return the label counts at which the long random replays were fine-tuned."""
    long = [result for result in results if result.cell["policy"] == LONG_RANDOM]
    return set.intersection(*({before["labels"] for last, before in _steps(result) if last != before["model"]} for result in long))


def _steps(result: Result) -> list[tuple[int, dict[str, Any]]]:
    """Return each point with the number of the model before it."""
    models = [0, *(point["model"] for point in result.points)]
    return list(zip(models, result.points, strict=False))


def _spread(mean: float, sd: float, seeds: int) -> str:
    return f"{mean:.3f} ± {sd:.3f}" if seeds > 1 else f"{mean:.3f}"


def _shown(policy: str) -> str:
    return "random" if policy == LONG_RANDOM else policy
