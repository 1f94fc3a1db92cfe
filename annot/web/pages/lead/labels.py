"""Each label on the Lead page: how good the model is on it, how many answers it has, how that grew. Draws facts, computes none."""

import altair as alt
import pandas as pd
import streamlit as st

from annot import charts
from annot.loop import status
from annot.quality import Interval
from annot.quality.phrases import percent


def show_labels(facts: status.Facts) -> None:
    st.header("Label by label")
    if facts.report is None:
        _answers(facts)
        return
    rows = [
        {
            "Label": row.name,
            "Answers": row.answers,
            "F1": _known(row.f1),
            "Precision": _known(row.precision),
            "Recall": _known(row.recall),
            "Predicted in the pool": row.predicted,
        }
        for row in facts.report.per_label
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch")
    st.caption("With 90 % intervals, from labels the model did not choose and what it says of the rest.")
    if small := charts.per_label(facts.report):
        titled = st.expander("F1 of each label against labels spent, the lowest first", expanded=len(rows) <= 10)
        with titled, st.container(horizontal=True):
            for name, chart in small:
                st.altair_chart(chart, width="content", alt=f"F1 of {name} against labels spent, with its 90 % interval")


def _known(interval: Interval) -> str:
    return percent(interval) if interval.n else "not known"


def _answers(facts: status.Facts) -> None:
    if not facts.spent:
        st.caption("No label has been given yet.")
        return
    frame = pd.DataFrame(facts.per_label, columns=["label", "labels"])
    chart = (
        alt.Chart(frame)
        .mark_bar(color=charts.COLOURS[charts.MEASURED], cornerRadiusEnd=3)
        .encode(
            x=alt.X("labels:Q", title="Labels given", axis=alt.Axis(tickMinStep=1, format="d")),
            y=alt.Y("label:N", sort=None, title=None, axis=alt.Axis(labelLimit=180, labelOverlap=False)),
            tooltip=["label:N", "labels:Q"],
        )
    )
    st.altair_chart(chart.properties(height=max(120, 34 * len(frame))), width="stretch")
