"""The Lead page: quality with its interval against labels, who did what, what the background does. Draws facts, computes none."""

import altair as alt
import pandas as pd
import streamlit as st

from annot.errors import AnnotError
from annot.loop import accounts, status
from annot.records import Estimate, JobState, Project, RunState, User
from annot.settings import workspace
from annot.store import Store
from annot.web.api import token_of
from annot.web.pages.replays import show_replays
from annot.web.plain import plain

REFRESH_S = 3.0
SOURCES = {"test": "Test split", "audit": "Audit items"}
RUN_WORDS = {
    RunState.RUNNING: "training",
    RunState.PUBLISHED: "published",
    RunState.REJECTED: "not published",
    RunState.FAILED: "failed",
}


def show(store: Store, user: User, project: Project) -> None:
    st.title("How good are we?")
    _live(project)
    show_replays()


@st.fragment(run_every=REFRESH_S)
def _live(project: Project) -> None:
    # A fragment reruns without its page, so it asks again who is there.
    try:
        with Store(workspace().database) as store:
            user = accounts.who(store, token_of(st.context.cookies))
            facts = status.lead_facts(store, accounts.require(store, user, project.id, lead=True))
    except AnnotError as fault:
        st.error(plain(str(fault)))
        return
    _headline(facts)
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("Budget curve")
        _curve(facts)
    with right:
        st.subheader("Labels so far")
        _balance(facts)
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("Runs")
        _runs(facts)
    with right:
        st.subheader("Labels per day")
        _per_day(facts)
    _flags(facts)
    _background(facts)


def _headline(facts: status.Facts) -> None:
    point = facts.latest()
    cells = st.columns(4)
    if point is None:
        cells[0].metric(
            "Accuracy", "not known yet", help="Quality is estimated from audit items or a test split; there are no such labels yet."
        )
    else:
        cells[0].metric(
            f"Accuracy ({SOURCES[point.source].lower()})",
            f"{point.value:.1%}",
            help=f"90 % interval {point.low:.1%} to {point.high:.1%}, from {point.n} labels the model did not choose.",
        )
        cells[0].caption(f"{point.low:.1%} to {point.high:.1%}, {point.n:,} items")
    cells[1].metric("Labels", f"{facts.spent:,}", help=f"{facts.audit} of them audit items, drawn at random to measure quality.")
    cells[1].caption(f"{facts.audit} audit, {facts.skipped} skipped")
    cells[2].metric("Pool", f"{facts.pool:,}")
    cells[2].caption(f"and {facts.test:,} test items" if facts.test else "no test split")
    if facts.ranking:
        behind = facts.ranking.behind
        cells[3].metric("Ranked by", f"model {facts.ranking.model}")
        cells[3].caption("up to date" if not behind else f"{behind} label{'s' if behind > 1 else ''} ago")
        if facts.ranked_from:
            cells[3].caption(facts.ranked_from)
    else:
        cells[3].metric("Ranked by", "nothing yet")
        cells[3].caption("items are asked in random order")
    st.caption(
        facts.self_training.words[0].upper() + facts.self_training.words[1:] + ".",
        help="Pseudo-labels are the model's own, used only in training. Whether they help is found out on people's labels that the "
        "model did not see: every ten labels until the first run is published, and then by a run once labels have grown by half. ± is "
        "one standard error. It decides about pseudo-labels and is no estimate of quality.",
    )
    if not facts.worker.alive:
        st.warning(facts.worker.words, icon=":material/warning:")


def _curve(facts: status.Facts) -> None:
    points = [point for point in facts.curve if point.metric == "accuracy"]
    if not points:
        st.caption("The curve starts with the first model, once two different labels have been given.")
        return
    # One point per number of labels: the newest, since a published run re-estimates the same labels.
    newest: dict[tuple[str, int], Estimate] = {(point.source, point.labels): point for point in points}
    frame = pd.DataFrame(
        [
            {
                "labels": labels,
                "source": SOURCES[source],
                "accuracy": point.value,
                "low": point.low,
                "high": point.high,
                "model": point.model,
                "n": point.n,
            }
            for (source, labels), point in newest.items()
        ]
    )
    colour = alt.Color(
        "source:N",
        title=None,
        scale=alt.Scale(domain=list(SOURCES.values()), range=["#0b8a76", "#c77700"]),
        legend=alt.Legend(orient="bottom", symbolOpacity=1),
    )
    x = alt.X("labels:Q", title="Labels spent", axis=alt.Axis(tickMinStep=1, format="d"))
    y = alt.Y("accuracy:Q", title="Accuracy", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%"))
    base = alt.Chart(frame)
    tooltip = [
        alt.Tooltip("source:N", title="Estimated on"),
        alt.Tooltip("labels:Q", title="Labels"),
        alt.Tooltip("accuracy:Q", format=".1%", title="Accuracy"),
        alt.Tooltip("low:Q", format=".1%", title="From"),
        alt.Tooltip("high:Q", format=".1%", title="To"),
        alt.Tooltip("n:Q", title="Items"),
        alt.Tooltip("model:Q", title="Model"),
    ]
    layers = [
        base.mark_area(opacity=0.16).encode(x=x, y=alt.Y("low:Q", title="Accuracy"), y2="high:Q", color=colour),
        base.mark_line(strokeWidth=2.5).encode(x=x, y=y, color=colour),
        base.mark_point(filled=True, size=28, opacity=0.9).encode(x=x, y=y, color=colour, tooltip=tooltip),
    ]
    published = [{"labels": run.labels, "run": f"model {run.number}"} for run in facts.runs if run.state is RunState.PUBLISHED]
    if published:
        layers.append(
            alt.Chart(pd.DataFrame(published)).mark_rule(strokeDash=[4, 4], color="#8a8f8c").encode(x="labels:Q", tooltip="run:N")
        )
    st.altair_chart(alt.layer(*layers).properties(height=340), width="stretch")
    st.caption("Bands are 90 % intervals. Dashed lines: labels at which a newly trained encoder was started and later published.")


def _balance(facts: status.Facts) -> None:
    if not facts.spent:
        st.caption("No label has been given yet.")
        return
    frame = pd.DataFrame(facts.per_label, columns=["label", "labels"])
    chart = (
        alt.Chart(frame)
        .mark_bar(color="#0b8a76", cornerRadiusEnd=3)
        .encode(
            x=alt.X("labels:Q", title="Labels given", axis=alt.Axis(tickMinStep=1, format="d")),
            y=alt.Y("label:N", sort=None, title=None, axis=alt.Axis(labelLimit=180)),
            tooltip=["label:N", "labels:Q"],
        )
    )
    st.altair_chart(chart.properties(height=max(120, 34 * len(frame))), width="stretch")


def _runs(facts: status.Facts) -> None:
    if not facts.runs:
        st.caption("No transformer has been fine-tuned yet.")
        return
    rows = []
    for run in reversed(facts.runs):
        gate = run.card.get("gate")
        rows.append(
            {
                "Run": run.number,
                "Labels": run.labels,
                "Outcome": RUN_WORDS[run.state],
                "Before (gate)": f"{gate['present']['value']:.0%}" if gate else "",
                "After (gate)": f"{gate['candidate']['value']:.0%}" if gate else "",
                "Gate labels": gate["present"]["n"] if gate else None,
                "Took": f"{run.card['seconds']:.0f} s" if "seconds" in run.card else "",
                "Note": run.error,
            }
        )
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch")
    st.caption("Gate figures rest partly on labels the model chose; they decide publication and are no estimate of quality.")


def _per_day(facts: status.Facts) -> None:
    if not facts.per_day:
        st.caption("Nobody has labelled yet.")
        return
    frame = pd.DataFrame(facts.per_day, columns=["day", "annotator", "labels"])
    chart = (
        alt.Chart(frame)
        .mark_bar(cornerRadiusEnd=3)
        .encode(
            x=alt.X("day:O", title=None, axis=alt.Axis(labelAngle=0)),
            y=alt.Y("labels:Q", title="Labels", axis=alt.Axis(tickMinStep=1, format="d")),
            color=alt.Color("annotator:N", title=None, scale=alt.Scale(scheme="tableau10"), legend=alt.Legend(orient="bottom")),
            tooltip=["day:O", "annotator:N", "labels:Q"],
        )
    )
    st.altair_chart(chart.properties(height=240), width="stretch")


def _flags(facts: status.Facts) -> None:
    if facts.flags:
        st.subheader("Flagged")
        rows = [{"Text": text, "Note": note, "By": user} for _, text, user, note in facts.flags]
        st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch")


def _background(facts: status.Facts) -> None:
    st.subheader("Background")
    st.caption(facts.worker.words)
    for job in facts.jobs:
        name = {"encode": "Encoding", "run": "Fine-tuning"}.get(job.kind, job.kind)
        if job.state is JobState.RUNNING:
            share = min(1.0, job.done / job.total) if job.total else 0.0
            st.progress(share, text=f"{plain(job.message or name)}: {job.done:,} of {job.total:,}")
        elif job.state is JobState.QUEUED:
            st.caption(f"{name} is waiting to start.")
    failed = next((job for job in facts.jobs if job.state in (JobState.DONE, JobState.FAILED)), None)
    if failed is not None and failed.state is JobState.FAILED:
        last_line = (failed.error.strip().splitlines() or ["no reason was given"])[-1]
        st.error(plain(f"The newest {failed.kind} job failed: {last_line}"))
