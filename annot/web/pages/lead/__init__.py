"""The Lead page: the verdict, quality against budget, what is ahead, what holds the model back. Draws facts, computes none."""

from collections.abc import Callable

import streamlit as st

from annot import handout
from annot.errors import AnnotError
from annot.loop import accounts, status
from annot.records import Project, User
from annot.settings import workspace
from annot.store import Store
from annot.web import state
from annot.web.api import token_of
from annot.web.downloads import file_name
from annot.web.pages.lead import background, budget, held_back, labels
from annot.web.pages.replays import show_replays
from annot.web.plain import plain

REFRESH_S = 3.0
# The letters of Streamlit's charts are paler than WCAG allows, its headings are large, and it fades what is being drawn again, which
# here would be the whole page every few seconds.
STYLE = """<style>
.stElementContainer[data-stale="true"] { opacity: 1; transition: none; }
[data-testid="stVegaLiteChart"] svg text { fill: currentColor; }
[data-testid="stHeading"] h2 { font-size: 1.6rem; } [data-testid="stHeading"] h3 { font-size: 1.1rem; padding: 0.4rem 0; }
</style>"""


def show(store: Store, user: User, project: Project) -> None:
    st.html(STYLE)
    st.title("How good are we?")
    _live(project)
    _exports(project)
    show_replays()


@st.fragment(run_every=REFRESH_S)
def _live(project: Project) -> None:
    try:
        facts = _facts(project, token_of(st.context.cookies))
    except AnnotError as fault:
        st.error(plain(str(fault)))
        return
    drawn = st.session_state.get(state.LEAD_REPORTED)
    st.session_state[state.LEAD_REPORTED] = facts.report is not None
    if drawn is False and facts.report is not None:
        st.rerun()  # the files below the fragment can be had from now on
    budget.show_verdict(facts)
    budget.show_headline(facts)
    left, right = st.columns([3, 2], gap="large")
    with left:
        budget.show_curve(facts)
    with right:
        budget.show_ahead(facts)
    labels.show_labels(facts)
    held_back.show_held_back(facts)
    left, right = st.columns([3, 2], gap="large")
    with left:
        background.show_runs(facts)
    with right:
        background.show_per_day(facts)
    background.show_flags(facts)
    background.show_background(facts)


def _facts(project: Project, token: str | None) -> status.Facts:
    """Return the project's facts for whoever holds the token: a fragment and a file are made without their page, so each asks again."""
    with Store(workspace().database) as store:
        user = accounts.who(store, token)
        return status.lead_facts(store, accounts.require(store, user, project.id, lead=True))


def _exports(project: Project) -> None:
    """Offer the files. Not in the fragment: each refresh would make the buttons anew, and a file under way would be lost."""
    st.header("Take it with you")
    if not st.session_state.get(state.LEAD_REPORTED):
        st.caption("The figures can be saved once there is a first report.")
        return
    token = token_of(st.context.cookies)
    files: list[tuple[str, str, str, str, Callable[[], str | bytes]]] = [
        ("Report (HTML)", "report", ".html", "text/html", lambda: handout.as_html(_facts(project, token))),
        ("Curve (PNG)", "curve", ".png", "image/png", lambda: handout.as_png(_facts(project, token)) or b""),
        ("Curve (CSV)", "curve", ".csv", "text/csv", lambda: handout.as_csv(_facts(project, token))),
    ]
    for place, (label, what, suffix, kind, make) in zip(st.columns(3), files, strict=True):
        file = file_name(project, what, suffix)
        place.download_button(label, make, file_name=file, mime=kind, key=f"lead.export.{kind}", on_click="ignore", width="stretch")
