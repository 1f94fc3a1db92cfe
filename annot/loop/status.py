"""The facts a lead reads: quality with its interval, who labelled what, what the background does. Reads rows only.

Must not compute quality: the ranker stored the estimates when it fitted the head. The Lead page and ``stats --json`` show the same facts.
"""

import math
import time
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from annot import frozen
from annot.loop import learning
from annot.loop.judging import prefers_test
from annot.loop.labelling import Staleness, staleness
from annot.loop.report.record import Report, earlier
from annot.quality.effort import DAY_S
from annot.records import Check, Estimate, Job, JobState, Kind, Label, Project, Reason, Relation, Run, Split
from annot.settings import ProjectSettings
from annot.store import Store

WORKER_SILENT_S = 10.0


@dataclass(frozen=True, slots=True)
class WorkerHealth:
    """``alive`` when its heartbeat is younger than ten seconds; ``words`` says what is the case and what to do."""

    alive: bool
    words: str


@dataclass(frozen=True, slots=True)
class SelfTraining:
    """Whether pseudo-labels are in use, in ``words`` with what they were found to do; ``check`` is None before the first."""

    method: str
    used: bool
    check: Check | None
    words: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What the lead sees. ``flags`` are (item id, text, annotator, note), newest first; ``report`` is None before the first one, and
    may be some labels old."""

    project: Project
    labels: list[Label]
    pool: int
    test: int
    spent: int
    audit: int
    skipped: int
    per_label: list[tuple[str, int]]
    per_day: list[tuple[str, str, int]]
    curve: list[Estimate]
    runs: list[Run]
    jobs: list[Job]
    ranking: Staleness | None
    ranked_from: str
    worker: WorkerHealth
    self_training: SelfTraining
    flags: list[tuple[int, str, str, str]]
    report: Report | None
    settings: ProjectSettings
    ahead: dict[str, str]  # for each kind of job that waits for another project's, that one's kind

    @property
    def failures(self) -> list[Job]:
        """The newest job of each kind where it failed; of what was no job (``rank``) only while nothing was done since."""
        ended = [job.finished_at for job in self.jobs if job.finished_at is not None]
        failed = [job for job in self.jobs if job.state is JobState.FAILED]
        return [job for job in failed if job.kind != "rank" or job.finished_at == max(ended)]

    @property
    def shown_source(self) -> str:
        """Which labels the headline quality rests on: the test split where it is of some size, else the audit items."""
        newest = {point.source: point.n for point in self.curve}
        return "test" if prefers_test(newest.get("test", 0), newest.get("audit", 0)) else "audit"

    def latest(self, metric: str = "accuracy", source: str | None = None) -> Estimate | None:
        wanted = source or self.shown_source
        return next((point for point in reversed(self.curve) if point.metric == metric and point.source == wanted), None)


def lead_facts(store: Store, project: Project) -> Facts:
    with store.snapshot():
        tallies = store.answers.tally(project.id, Split.POOL)
        labels = store.projects.labels(project.id)
        answers = [one for one in tallies if one.label is None]
        counts: Counter[int | None] = Counter()
        for tally in tallies:
            if tally.kind is Kind.LABEL and tally.relation is Relation.IS:
                counts[tally.label] += tally.count
        return Facts(
            project=project,
            labels=labels,
            pool=store.items.count(project.id, Split.POOL),
            test=store.items.count(project.id, Split.TEST),
            spent=sum(one.count for one in answers if one.kind is Kind.LABEL),
            audit=sum(one.count for one in answers if one.kind is Kind.LABEL and one.reason is Reason.AUDIT),
            skipped=sum(one.count for one in answers if one.kind is Kind.SKIP),
            per_label=[(label.title, counts[label.id]) for label in labels],
            per_day=store.answers.per_day(project.id),
            curve=store.runs.estimates(project.id),
            runs=store.runs.of_project(project.id),
            jobs=store.jobs.newest(project.id),
            ahead=store.jobs.ahead(project.id),
            ranking=staleness(store, project.id),
            ranked_from=_ranked_from(store, project),
            worker=worker_health(store),
            self_training=_self_training(store, project),
            flags=store.answers.flags(project.id),
            report=earlier(store.reports.newest(project.id))[0],
            settings=ProjectSettings.parse(project.settings),
        )


def self_training(chosen: str, exclusive: bool, check: Check | None, pseudo: int) -> SelfTraining:
    """Say whether self-training is on and what the newest check found; a gain is in points of the share right, ± its standard error.

    ``pseudo`` is the number of pseudo-labels the present ranking's head learned from.
    """
    method = learning.method_of(chosen, exclusive)
    if method == "none":
        why = "no method is chosen under Settings" if chosen == "none" else "no method works where several labels may hold"
        return SelfTraining(chosen, False, None, f"self-training off: {why}")
    if check is None or check.method != method:
        return SelfTraining(method, False, None, "self-training off: not checked yet")
    found = f"{100 * check.gain:+.1f} points (±{100 * check.error:.1f})"
    if check.helps:
        used = f"on: {pseudo:,} pseudo-labels" if pseudo else "on from the next answer"  # a check follows the ranking it was made with
        return SelfTraining(method, True, check, f"self-training {used}, {found}")
    why = f"it did not help here, {found}" if check.pseudo else "the method found no text to be sure of"
    return SelfTraining(method, False, check, f"self-training off: {why}")


def _self_training(store: Store, project: Project) -> SelfTraining:
    stamp = store.queue.ranking(project.id)
    model, pseudo = (stamp[0].model, stamp[0].pseudo) if stamp else (0, 0)
    check = store.runs.newest_check(project.id, run=model > 0)
    return self_training(ProjectSettings.parse(project.settings).self_training, project.exclusive, check, pseudo)


def _ranked_from(store: Store, project: Project) -> str:
    """Say that the ranking saw only a part of the pool; empty where it saw all."""
    most, pool = ProjectSettings.parse(project.settings).rank_at_most, store.items.count(project.id, Split.POOL)
    return f"ranked from a random part of {most:,} of {pool:,} texts" if 0 < most < pool else ""


def worker_health(store: Store, now: float | None = None) -> WorkerHealth:
    now = time.time() if now is None else now
    beat = store.jobs.worker_heartbeat()
    start = "Start it with: python -m annot worker (make demo starts one itself)."
    if beat is None:
        return WorkerHealth(False, f"No worker is running, so answers are kept but nothing is learned from them. {start}")
    pid, at = beat
    if now - at > WORKER_SILENT_S:
        return WorkerHealth(
            False, f"The worker (process {pid}) was last heard of {ago(now - at)} ago; answers are kept, nothing is learned. {start}"
        )
    return WorkerHealth(True, f"The worker (process {pid}) is running.")


def ago(seconds: float) -> str:
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            n = int(seconds // size)
            return f"{n} {name}{'s' if n > 1 else ''}"
    return f"{int(seconds)} seconds"


def as_json(facts: Facts) -> dict[str, Any]:
    """Return the facts as one JSON object; keys are part of the interface of ``stats --json``."""
    newest = {point.source: asdict(point) for point in facts.curve if point.metric == "accuracy"}
    return {
        "project": facts.project.name,
        "pool": facts.pool,
        "test": facts.test,
        "labels": facts.spent,
        "audit_labels": facts.audit,
        "skipped": facts.skipped,
        "per_label": dict(facts.per_label),
        "per_day": [{"day": day, "annotator": user, "labels": n} for day, user, n in facts.per_day],
        "accuracy": newest,
        "curve": [asdict(point) for point in facts.curve],
        "ranking": asdict(facts.ranking) if facts.ranking else None,
        "ranked_from": facts.ranked_from,
        "runs": [{"run": run.number, "state": run.state, "labels": run.labels, "error": run.error, "card": run.card} for run in facts.runs],
        "jobs": [asdict(job) for job in facts.jobs if job.state in (JobState.QUEUED, JobState.RUNNING, JobState.FAILED)],
        "worker": asdict(facts.worker),
        "self_training": asdict(facts.self_training),
        "report": frozen.plain(facts.report),
    }


def in_words(facts: Facts) -> list[str]:
    """Return the facts as lines a person reads on a terminal."""
    lines = [f"{facts.project.name}: {facts.spent} labels ({facts.audit} of them audit) on a pool of {facts.pool}, {facts.skipped} skipped"]
    for source, name in (("test", "test split"), ("audit", "audit items")):
        if point := facts.latest(source=source):
            lines.append(f"accuracy on the {name}: {point.value:.3f} (90 % interval {point.low:.3f} to {point.high:.3f}, {point.n} items)")
    if facts.report:
        lines += in_report(facts.report, facts.settings)
    if facts.ranking:
        lines.append(f"ranked by model {facts.ranking.model}, {facts.ranking.behind} labels ago")
    if facts.ranked_from:
        lines.append(facts.ranked_from)
    lines.append(facts.self_training.words)
    for run in facts.runs[-3:]:
        lines.append(f"run {run.number} at {run.labels} labels: {run.state}{f' ({run.error})' if run.error else ''}")
    return [*lines, facts.worker.words]


def in_report(report: Report, settings: ProjectSettings) -> list[str]:
    """Return the report's sentences, the verdict first: what the page, the terminal and the handout say alike."""
    lines = [report.verdict.sentence, *report.verdict.advice]
    if report.forecast is not None and report.target is not None:
        lines.append(f"{report.metric.replace('_f1', '-F1')} {100 * report.target:g} %: {report.forecast.sentence}")
    if report.shadow is not None:
        lines.append(report.shadow.words)
    if work := effort_words(report, settings):
        lines.append(work)
    return lines


def ahead_words(report: Report, settings: ProjectSettings, people: int, now: float) -> list[str]:
    """Say what the target takes: labels with their band, hours and money, hours each of so many ``people``, and a date at the pace."""
    ahead = report.forecast
    if report.target is None or ahead is None:
        return []
    goal = f"{report.metric.replace('_f1', '-F1')} of {100 * report.target:g} %"
    lines = [f"For {goal}: {ahead.sentence}."]
    work = report.effort
    if ahead.withheld or ahead.labels is None or not math.isfinite(ahead.labels.median) or not work.per_hour or not work.per_day:
        return lines
    more, least, most = (max(0.0, bound - report.labels) for bound in (ahead.labels.median, ahead.labels.low, ahead.labels.high))
    if more <= 0:
        return lines
    hours = more / work.per_hour
    cost = f", {money(hours * settings.hourly_rate, settings)}" if settings.hourly_rate else ""
    each = f", {hours / people:.1f} hours for each of {people}" if people > 1 else ""
    longest = f"{most / work.per_hour:.1f}" if math.isfinite(most) else "more than is looked ahead"
    lines.append(f"That is {more:,.0f} more labels: {hours:.1f} hours{cost}{each} (80 %: {least / work.per_hour:.1f} hours to {longest}).")
    pace = work.per_day * people / max(1, work.people)
    soon, then, late = (_date(now, one / pace) for one in (least, more, most))
    lines.append(f"At {pace:,.0f} labels a day it is reached about {then} (80 %: {soon} to {late}).")
    return lines


def _date(now: float, days: float) -> str:
    # Beyond ten years the calendar is no help.
    return time.strftime("%d %B %Y", time.localtime(now + days * DAY_S)) if days < 3_650 else "no date in sight"


def effort_words(report: Report, settings: ProjectSettings) -> str:
    """Say what the labels took so far, in hours, money and seconds a label; empty where no time is known."""
    work = report.effort
    if work.seconds is None or work.per_hour is None:
        return ""
    cost = f", {money(work.cost(settings.hourly_rate), settings)}" if settings.hourly_rate else ""
    each = f"{work.seconds:.0f} second{'' if round(work.seconds) == 1 else 's'} each in the median, {3600 / work.per_hour:.0f} in the mean"
    took = f"{work.hours:.1f} hours" if work.hours >= 0.1 else f"{60 * work.hours:.0f} minutes"
    return f"{work.labels:,} labels took {took}{cost}: {each}"


def money(amount: float, settings: ProjectSettings) -> str:
    return f"{settings.currency}{amount:,.0f}" if amount >= 100 else f"{settings.currency}{amount:,.2f}"
