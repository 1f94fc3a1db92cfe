"""The part of the Lead page that shows what ``python -m annot simulate`` found in this workspace. Draws results, makes none."""

from dataclasses import asdict

import pandas as pd
import streamlit as st

from annot.errors import BadInput
from annot.settings import workspace
from annot.simulate import grid, report
from annot.web.plain import plain

COLUMNS = {"policy": "Policy", "seeds": "Seeds", "labels": "Labels", "final": "Score", "final_sd": "± (seeds)", "area": "Area under curve"}


def show_replays() -> None:
    """Draw curves and table of one data set; nothing where nothing was simulated."""
    try:
        results = report.comparable(grid.read(report.results_file(workspace())))
    except BadInput as fault:
        st.error(plain(str(fault)))
        return
    if not results:
        return
    st.subheader("Strategies compared by simulation")
    data = st.selectbox("Data set", list(dict.fromkeys(report.name_of(result) for result in results)))
    mine = [result for result in results if report.name_of(result) == data]
    st.altair_chart(report.chart(mine, data), width="stretch")
    frame = pd.DataFrame([asdict(line) for line in report.summarise(mine)])[list(COLUMNS)].rename(columns=COLUMNS)
    st.dataframe(frame.round(3), hide_index=True, width="stretch")
    st.caption("Labelled data replayed with its labels as the annotator; bands are 90 % intervals of the mean over seeds.")
