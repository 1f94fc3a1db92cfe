"""The top of the Lead page: the verdict, the headline figures, the budget curve and what is ahead. Draws facts, computes none."""

import time

import streamlit as st

from annot import charts
from annot.loop import status
from annot.quality.stopping import Kind
from annot.quality.votes import Says
from annot.records import RunState
from annot.web import state
from annot.web.plain import plain

LOOKS = {
    Kind.TOO_EARLY: (st.info, ":material/hourglass_empty:"),
    Kind.GO_ON: (st.info, ":material/arrow_forward:"),
    Kind.NEAR: (st.success, ":material/flag:"),
    Kind.STOP: (st.success, ":material/check_circle:"),
    Kind.OUT_OF_REACH: (st.warning, ":material/block:"),
}
# Where people have labelled more of the pool than this share, the pool's figure is notably better than the model's on new texts.
NOTABLE_SHARE = 0.1
SAYS = {Says.GO_ON: "go on", Says.STOP: "stop", Says.UNSURE: "cannot tell"}
VOICES = {
    "kappa": "Kappa of successive models",
    "change": "Changed predictions",
    "delta_f": "Predicted change of F1",
    "uncertainty": "Overall uncertainty",
    "forecast": "Gain of the next hour",
    "target": "Target",
    "budget": "Labels to the target",
}


def show_verdict(facts: status.Facts) -> None:
    report = facts.report
    if report is None:
        st.info("Whether to go on is said here once two different labels have been given and the worker has made its first report.")
        return
    draw, icon = LOOKS[report.verdict.kind]
    advice = "".join(f"\n- {plain(one)}" for one in report.verdict.advice)
    draw(f"**{plain(report.verdict.sentence)}**{advice}", icon=icon)
    behind = facts.spent - report.labels
    since = f"; {behind:,} label{'s' if behind > 1 else ''} since" if behind > 0 else ""
    st.caption(f"As of {report.labels:,} labels, {status.ago(max(0.0, time.time() - report.at))} ago{since}")
    # Streamlit folds an expander up when its words change, so what changes by itself stands above it.
    with st.expander(f"Why: {len(report.verdict.votes)} votes"):
        votes = (f"**{VOICES.get(vote.name, vote.name)}: {SAYS[vote.says]}.** {plain(vote.why)}" for vote in report.verdict.votes)
        st.markdown("\n".join(f"- {vote}" for vote in votes))


def show_headline(facts: status.Facts) -> None:
    metric = facts.report.metric if facts.report else "accuracy"
    point = facts.latest(metric)
    cells = st.columns(4)
    if point is None:
        cells[0].metric(
            "Accuracy", "not known yet", help="Quality is estimated from audit items or a test split; there are no such labels yet."
        )
    else:
        name, source = charts.METRICS[metric], charts.SOURCES[point.source].lower()
        early = point.n < charts.FEW
        cells[0].metric(
            f"{name} ({source})",
            f"{100 * point.low:.0f} to {100 * point.high:.0f} %" if early else f"{point.value:.1%}",
            help=f"90 % interval {point.low:.1%} to {point.high:.1%}, from {point.n} labels the model did not choose.",
        )
        told = f"{point.value:.1%} on {point.n} items, too few to say it closer" if early else ""
        cells[0].caption(told or f"{point.low:.1%} to {point.high:.1%}, {point.n:,} items")
        if point.source == "audit" and facts.spent > NOTABLE_SHARE * facts.pool:
            cells[0].caption("Of the whole pool, whose labelled texts count as right: expect less on new texts.")
        other = facts.latest(metric, "audit") if point.source == "test" else None
        if other is not None:
            cells[0].caption(f"audit items: {other.value:.1%} ({other.low:.1%} to {other.high:.1%}, {other.n:,})")
    cells[1].metric("Labels", f"{facts.spent:,}", help=f"{facts.audit} of them audit items, drawn at random to measure quality.")
    released = f", {facts.report.released} of them released to training" if facts.report and facts.report.released else ""
    cells[1].caption(f"{facts.audit} audit{released}, {facts.skipped} skipped")
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
    if not facts.worker.alive:
        st.warning(plain(facts.worker.words), icon=":material/warning:")


def show_curve(facts: status.Facts) -> None:
    st.header("Budget curve")
    axes = ["labels", "hours", *(["cost"] if facts.settings.hourly_rate else [])] if facts.report else ["labels"]
    across = "labels"
    if len(axes) > 1:
        titles = {"labels": "Labels", "hours": "Hours", "cost": f"Cost ({plain(facts.settings.currency)})"}
        across = (
            st.segmented_control(
                "Against", axes, format_func=titles.__getitem__, default="labels", key=state.LEAD_ACROSS, label_visibility="collapsed"
            )
            or "labels"
        )
    chart = charts.budget(facts, across)
    if chart is None:
        st.caption(f"The curve starts with the first model, and {charts.LEAST_ITEMS} items to judge it by.")
        return
    # Side by side the legend's names would be cut off on a narrow screen; one above the other they take room from the curve.
    st.altair_chart(chart.configure_legend(columns=1).properties(height=430), width="stretch", alt=_in_words(facts, across))
    notes = ["The green band is a 90 % interval."]
    if facts.report is not None and facts.report.target:
        notes.append("The red line is the target.")
    if any(run.state is RunState.PUBLISHED for run in facts.runs):
        notes.append("Dashed upright lines: labels at which a newly trained encoder was started that was later published.")
    if facts.report is not None and facts.report.changes:
        notes.append("Dotted upright lines: another query strategy, or self-training switched on or off.")
    if facts.report is not None and facts.report.shadow is not None and facts.report.shadow.curve and facts.report.metric == "accuracy":
        notes.append("The orange curve is replayed from your labels on the plain encoder; it compares, it does not measure.")
    st.caption(" ".join(notes))


def _in_words(facts: status.Facts, across: str) -> str:
    metric = facts.report.metric if facts.report else "accuracy"
    point = facts.latest(metric)
    newest = f"; at {point.labels:,} labels {point.value:.1%} ({point.low:.1%} to {point.high:.1%})" if point else ""
    return f"Budget curve: {charts.METRICS[metric]} against {charts.ACROSS[across].lower()}{newest}"


def show_ahead(facts: status.Facts) -> None:
    st.header("What is ahead")
    report = facts.report
    if report is None:
        st.caption("Nothing can be foretold before the first report.")
        return
    if report.target is None and facts.settings.target:
        metric = charts.METRICS[facts.settings.target_metric]
        st.caption(f"The target is one of {metric}, which is not estimated here: choose another figure under Settings.")
    elif report.target is None:
        st.caption("Set a target under Settings to see how many labels, hours and days it takes.")
    people = int(
        st.number_input("Annotators", 1, 1_000_000, value=max(1, report.effort.people), key=state.LEAD_PEOPLE, help="For hours and dates.")
    )
    for line in status.ahead_words(report, facts.settings, people, time.time()):
        st.markdown(plain(line))
    if report.shadow is not None:
        st.markdown(plain(report.shadow.words), help="Both arms are replayed from your labels on the plain encoder. The interval is 80 %.")
    if words := status.effort_words(report, facts.settings):
        st.caption(plain(words))
