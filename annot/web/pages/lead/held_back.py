"""What holds the model back, on the Lead page: confusions with examples, scarce labels, skips, drift, calibration, self-training.

Draws facts, computes none.
"""

from collections.abc import Iterable

import streamlit as st

from annot import charts
from annot.loop import status
from annot.loop.report.record import HeldBack
from annot.web.plain import plain

FEW = 5


def show_held_back(facts: status.Facts) -> None:
    st.header("What holds us back")
    st.markdown(
        plain(facts.self_training.words[0].upper() + facts.self_training.words[1:] + "."),
        help="Pseudo-labels are the model's own, used only in training. Whether they help is found out on people's labels that the "
        "model did not see: every ten labels until the first run is published, and then by a run once labels have grown by half. ± is "
        "one standard error. It decides about pseudo-labels and is no estimate of quality.",
    )
    if facts.report is None:
        return
    held = facts.report.held_back
    left, right = st.columns(2, gap="large")
    with left:
        _confusion(held)
        _answers(held)
    with right:
        _calibration(facts, held)
        for one in held.drift:
            _with_texts(f"Drift: {one.words}", one.examples)


def _confusion(held: HeldBack) -> None:
    st.subheader("Taken for one another")
    if not held.confusion:
        st.caption(f"No mistake on {held.judged} items so far." if held.judged else "No item to judge by yet.")
        return
    for one in held.confusion[:FEW]:
        _with_texts(one.words, one.examples)
    if rest := held.confusion[FEW:]:
        st.caption(plain("; ".join(one.words for one in rest)))
    st.caption(f"Counted on {held.judged:,} items the model did not choose: of those with the first label, how many it gives the second.")


def _with_texts(words: str, examples: Iterable[tuple[int, str]]) -> None:
    shown = list(examples)
    if not shown:
        st.markdown(plain(words))
        return
    with st.expander(plain(words)):
        for item, text in shown:
            st.text(f"{item}: {text}")


def _answers(held: HeldBack) -> None:
    st.subheader("Too few answers, and passed over")
    for words, _ in held.scarce[:FEW]:
        st.markdown(plain(words))
    if len(held.scarce) > FEW:
        st.caption(f"and {len(held.scarce) - FEW} more labels with too few answers")
    if not held.scarce:
        st.caption("Every label has enough answers to learn from.")
    for words in held.skip_words:
        st.caption(plain(words))


def _calibration(facts: status.Facts, held: HeldBack) -> None:
    st.subheader("Is it as sure as it is right?")
    st.markdown(plain(held.calibration_words[0].upper() + held.calibration_words[1:] + "."))
    if facts.report is not None and (chart := charts.reliability(facts.report)) is not None:
        st.altair_chart(chart, width="stretch", alt=f"How often the model is right, against how sure it is: {held.calibration_words}.")
        st.caption("On the dashed line the model is as often right as it is sure. Upright lines are 90 % intervals.")
