"""The pages: who is asking, which project, which page. Each page is a ``show(store, user, project)`` over use cases.

Must not decide anything: logic lives in annot.loop. Every page checks the role again, since a URL can be typed.
"""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from annot.errors import AnnotError, SignInRequired
from annot.loop import accounts
from annot.records import Project, Role, User
from annot.settings import workspace
from annot.store import Store
from annot.web import locales, signin, state
from annot.web.api import token_of
from annot.web.pages import data, label, lead, settings
from annot.web.plain import plain

# Streamlit's quiet text is paler than WCAG allows, and it leaves room for a title above the first element; the text needs it more.
STYLE = """<style>
[data-testid="stCaptionContainer"] { opacity: 0.78; }
.stMainBlockContainer { padding-top: 4.25rem; padding-bottom: 1rem; }
</style>"""
# Where there are no other pages to go to, Streamlit's header is empty, and would lie over the top of ours. This is not asked of the page
# itself: Streamlit measures the header before it puts the links in, and what is hidden then stays so.
WITHOUT_HEADER = """<style>
.stMainBlockContainer { padding-top: 0.75rem; }
.stAppHeader { display: none; }
</style>"""

ICON = Path(__file__).parent.parent / "assets" / "icon.png"

Page = Callable[[Store, User, Project], None]
PATHS = ("label", "lead", "data", "settings")


def show() -> None:
    """Draw the whole app for this visitor. Expected faults are shown in words; nothing else is caught here."""
    st.set_page_config(page_title="Annot", page_icon=ICON, layout="wide")
    st.html(STYLE)
    try:
        with Store(workspace().database) as store:
            try:
                user = accounts.who(store, token_of(st.context.cookies))
            except SignInRequired:
                _show_sign_in()
                return
            _show_for(store, user)
    except AnnotError as fault:
        st.error(plain(str(fault)))


def _show_sign_in() -> None:
    """Ask who is there at every address there is, so that a bookmark leads to where it should after signing in."""
    st.html(WITHOUT_HEADER)
    title = locales.say(st.context.locale, "sign.in")
    pages = [st.Page(signin.show_form, title=title, url_path=path, default=path == PATHS[0]) for path in PATHS]
    st.navigation(pages, position="hidden").run()


def _show_for(store: Store, user: User) -> None:
    memberships = store.projects.of_member(user.id)
    away = store.projects.of_member(user.id, put_away=True)
    is_lead = user.role is Role.LEAD or any(role is Role.LEAD for _, role in [*memberships, *away])
    pages: list[tuple[str, str, str, Page, bool]] = [
        (locales.say(st.context.locale, "page.label"), "label", ":material/edit_note:", label.show, False),
        ("Lead", "lead", ":material/monitoring:", lead.show, True),
        ("Data", "data", ":material/database:", data.show, True),
        ("Settings", "settings", ":material/tune:", settings.show, True),
    ]
    shown = [one for one in pages if is_lead or not one[4]]
    if len(shown) == 1:
        st.html(WITHOUT_HEADER)
    chosen = st.navigation(
        [
            st.Page(_page(store, user, work, for_lead), title=title, url_path=path, icon=icon, default=path == "label")
            for title, path, icon, work, for_lead in shown
        ],
        position="top",
    )
    chosen.run()


def _page(store: Store, user: User, work: Page, for_lead: bool) -> Callable[[], None]:
    def run() -> None:
        project = _choose_project(store, user)
        if work is settings.show and (project is None or store.projects.role(project.id, user.id) is not Role.LEAD):
            settings.show_without_project(store, user, project)
        elif project is not None:
            work(store, user, accounts.require(store, user, project.id, lead=for_lead))

    return run


def _choose_project(store: Store, user: User) -> Project | None:
    """Draw the bar with the project and the account, and return the chosen project."""
    mine = [project for project, _ in store.projects.of_member(user.id)]
    names = {project.id: project.name for project in mine}
    if st.session_state.get(state.PROJECT, 0) not in {0, *names}:
        # What was pressed just now was meant for the project that is gone; a new run knows nothing of it.
        del st.session_state[state.PROJECT]
        st.session_state[state.PROJECT_GONE] = True
        st.rerun()
    if gone := st.session_state.pop(state.PROJECT_GONE, False):
        st.warning(locales.say(st.context.locale, "page.gone"))
    if len(mine) < 2:
        signin.show_bar(user.name, mine[0].name if mine else "")
        if mine:
            st.session_state[state.PROJECT] = mine[0].id
        elif not gone:
            away = store.projects.of_member(user.id, put_away=True)
            st.info(locales.say(st.context.locale, "page.put_away" if away else "page.no_project"))
        return mine[0] if mine else None
    left, right = st.columns([3, 2], vertical_alignment="center")
    with right:
        signin.show_bar(user.name)
    # A widget's state ends with its page; so the choice is kept beside it, which it follows, and in the address for a reload.
    asked = st.query_params.get("project", "")
    chosen = st.session_state.get(state.PROJECT, int(asked) if asked.isdigit() else 0)
    chosen = chosen if chosen in names else mine[0].id
    st.session_state[state.PROJECT] = st.session_state[state.PROJECT_PICKED] = chosen
    st.query_params["project"] = str(chosen)
    with left:
        st.selectbox(
            locales.say(st.context.locale, "page.project"),
            list(names),
            format_func=names.__getitem__,
            label_visibility="collapsed",
            key=state.PROJECT_PICKED,
            on_change=_keep_project,
        )
    return next(project for project in mine if project.id == chosen)


def _keep_project() -> None:
    st.session_state[state.PROJECT] = st.session_state[state.PROJECT_PICKED]
