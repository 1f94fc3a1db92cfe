"""What went on behind the labels, on the Lead page: runs, labels per day, flags, background work. Draws facts, computes none."""

import altair as alt
import pandas as pd
import streamlit as st

from annot.loop import status
from annot.records import JobState, RunState
from annot.web.plain import plain

JOB_WORDS = {"encode": "Encoding", "run": "Fine-tuning", "report": "Making the report", "twins": "Looking for twins"}
RUN_WORDS = {
    RunState.RUNNING: "training",
    RunState.PUBLISHED: "published",
    RunState.REJECTED: "not published",
    RunState.FAILED: "failed",
}


def show_runs(facts: status.Facts) -> None:
    st.header("Runs")
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


def show_per_day(facts: status.Facts) -> None:
    st.header("Labels per day")
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


def show_flags(facts: status.Facts) -> None:
    if facts.flags:
        st.header("Flagged")
        rows = [{"Text": text, "Note": note, "By": user} for _, text, user, note in facts.flags]
        st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch")


def show_background(facts: status.Facts) -> None:
    st.header("Background")
    st.caption(plain(facts.worker.words))
    for job in facts.jobs:
        name = JOB_WORDS.get(job.kind, job.kind)
        if job.state is JobState.RUNNING:
            share = min(1.0, job.done / job.total) if job.total else 0.0
            st.progress(share, text=f"{plain(job.message or name)}: {job.done:,} of {job.total:,}")
        elif job.state is JobState.QUEUED:
            other = facts.ahead.get(job.kind)
            behind = f": another project has the worker ({JOB_WORDS.get(other, other).lower()})" if other else ""
            st.caption(f"{name} is waiting to start{behind}.")
    for failed in facts.failures:
        last_line = (failed.error.strip().splitlines() or ["no reason was given"])[-1]
        st.error(plain(f"The newest {failed.kind} job failed: {last_line}"))
