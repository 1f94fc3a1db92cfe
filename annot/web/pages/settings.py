"""The Settings page: label set, guidelines, ranker, members, the project itself and new ones. The use cases check, nothing here does."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from annot.errors import AnnotError, BadInput
from annot.loop import accounts, projects
from annot.records import Label, Project, Role, User
from annot.settings import GROUPS, ProjectSettings
from annot.store import Store
from annot.web import state
from annot.web.plain import plain

Draw = Callable[[Store, User, Project], None]


def show(store: Store, user: User, project: Project) -> None:
    _heading()
    drawn: dict[str, Draw] = {
        "Labels": _labels,
        "Guidelines": _guidelines,
        "Goal": _goal,
        "Ranker": _ranker,
        "Members": _members,
        "Project": _project,
    }
    if user.role is Role.LEAD:
        drawn["New project"] = _new_project
    for tab, draw in zip(st.tabs(list(drawn)), drawn.values(), strict=True):
        with tab:
            try:
                draw(store, user, project)
            except AnnotError as fault:
                st.error(plain(str(fault)))


def show_without_project(store: Store, user: User, project: Project | None) -> None:
    """Draw what somebody can still do who has no project in sight, or is no lead of it."""
    _heading()
    if project is not None:
        st.info(f"Only a lead of {plain(project.name)} may change it.")
    try:
        if user.role is Role.LEAD:
            st.subheader("New project")
            _new_project(store, user, project)
        _offer_back(store, user)
    except AnnotError as fault:
        st.error(plain(str(fault)))


def _heading() -> None:
    """Draw the title, and below it what came of the last press."""
    st.title("Settings")
    with st.container():  # always there, so that the tabs below stay as they are when something is said here
        if saved := st.session_state.pop(state.SETTINGS_SAVED, None):
            st.success(plain(saved))
        if account := st.session_state.pop(state.SETTINGS_PASSWORD, None):
            st.write("To hand on; the password is shown only now:")
            st.code(account, language=None)


def _done(words: str) -> None:
    st.session_state[state.SETTINGS_SAVED] = words
    st.rerun()


def _labels(store: Store, user: User, project: Project) -> None:
    labels = store.projects.labels(project.id)
    names = {label.id: label.name for label in labels}
    st.caption(
        ("Exactly one label per item." if project.exclusive else "Any number of labels per item.")
        + " A label in use can be renamed but not deleted. Keys left empty are filled in."
    )
    frame = pd.DataFrame(
        [
            {
                "id": label.id,
                "key": label.key,
                "name": label.name,
                "title": label.title,
                "parent": names.get(label.parent or 0, ""),
                "description": label.description,
            }
            for label in labels
        ],
        columns=["id", "key", "name", "title", "parent", "description"],
    )
    keys = " ".join(projects.RESERVED_KEYS)
    edited = st.data_editor(
        frame,
        num_rows="dynamic",
        hide_index=True,
        width="stretch",
        key=f"{state.SETTINGS_LABELS}.{project.id}",
        column_config={
            "id": None,
            "key": st.column_config.TextColumn(
                "Key", max_chars=1, width="small", help=f"One character that answers. Taken for other things: {keys}"
            ),
            "name": st.column_config.TextColumn(
                "Name (in exports)", required=True, help="What files call the label. It can be changed later."
            ),
            "title": st.column_config.TextColumn("Title (on the button)", help="Left empty: the name."),
            "parent": st.column_config.TextColumn("Under", help="In a tree of labels: the name of the one above this."),
            "description": st.column_config.TextColumn(
                "Description", width="large", help="For annotators, under g; the first texts are chosen by it too."
            ),
        },
    )
    if st.button("Save labels", type="primary"):
        rows = [{key: _clean(value) for key, value in row.items()} for row in edited.to_dict("records")]
        projects.set_label_set(store, project, projects.labels_from_rows(rows))
        _done("The label set was saved.")


def _clean(value: Any) -> Any:
    return "" if value is None or (isinstance(value, float) and value != value) else value


def _guidelines(store: Store, user: User, project: Project) -> None:
    text = st.text_area("What annotators read under the key g; headings, lists and bold as in Markdown", project.guidelines, height=360)
    if st.button("Save guidelines", type="primary"):
        store.projects.change(project.id, guidelines=text)
        _done("The guidelines were saved.")


def _goal(store: Store, user: User, project: Project) -> None:
    _settings(store, project, ["Goal"])


def _ranker(store: Store, user: User, project: Project) -> None:
    _settings(store, project, [group for group in GROUPS if group != "Goal"])


def _settings(store: Store, project: Project, groups: list[str]) -> None:
    """Draw the form of some groups of settings; those of others stay as they are."""
    from annot import selectors, selftraining

    choices = {
        "selector": {name: selectors.selectors.says(name) for name in selectors.names()},
        "cold_start": {name: selectors.selectors.says(name) for name in selectors.names(before_a_model=True)},
        "self_training": {name: selftraining.methods.says(name) for name in selftraining.names()},
    }
    current = ProjectSettings.parse(project.settings).as_dict()
    specs = {spec.name: spec for spec in dataclasses.fields(ProjectSettings)}
    values: dict[str, Any] = {}
    with st.form(f"{'-'.join(groups)}.{project.id}", border=False):
        for group in groups:
            if len(groups) > 1:
                st.subheader(group)
            cells = st.columns(2, gap="large")
            for place, name in enumerate(GROUPS[group]):
                values[name] = _field(cells[place % 2], specs[name], current[name], choices.get(name))
        if st.form_submit_button("Save settings", type="primary"):
            projects.change_settings(store, project, values)
            _done("The settings were saved; the ranker uses them from the next answer on.")


def _field(cell: Any, spec: dataclasses.Field[Any], value: Any, choices: dict[str, str] | None) -> Any:
    """Draw the setting's widget; ``choices`` are what it may be, each with what is said of it."""
    title = spec.name.replace("_", " ").capitalize()
    text = spec.metadata["help"]
    options = list(choices or spec.metadata.get("options", ()))
    if options:
        picked = options.index(value) if value in options else 0
        return cell.selectbox(title, options, picked, lambda name: f"{name}: {choices[name]}" if choices else name, help=text)
    if isinstance(value, bool):
        return cell.checkbox(title, value, help=text)
    if isinstance(value, int | float):
        return cell.number_input(title, spec.metadata.get("low"), spec.metadata.get("high"), value, help=text)
    return (cell.text_area if spec.metadata.get("lines") else cell.text_input)(title, value, help=text)


def _members(store: Store, user: User, project: Project) -> None:
    members = store.projects.members(project.id)
    st.dataframe(pd.DataFrame([{"Name": name, "Role": role.value} for name, role in members]), hide_index=True, width="stretch")
    others = [one.name for one in store.accounts.all()]
    with st.form(f"member.{project.id}", border=True):
        st.markdown("**Add or change a member**")
        left, middle = st.columns(2)
        name = left.selectbox("Account", others)
        role = middle.selectbox("Role", [*(role.value for role in Role), "not a member"], index=1)
        if st.form_submit_button("Save member"):
            projects.set_member(store, project, store.accounts.find(name), None if role == "not a member" else Role(role))
            _done(f"{name} was saved.")
    if user.role is Role.LEAD:
        with st.form(f"account.{project.id}", border=True, clear_on_submit=True):
            st.markdown("**New account**")
            name = st.text_input("Name")
            if st.form_submit_button("Add account and make it an annotator here"):
                added, password = accounts.add_account(store, name, Role.ANNOTATOR)
                projects.set_member(store, project, added, Role.ANNOTATOR)
                st.session_state[state.SETTINGS_PASSWORD] = f"{st.context.url}\n{added.name}\n{password}"
                _done(f"{added.name} was added.")


def _project(store: Store, user: User, project: Project) -> None:
    with st.form(f"rename.{project.id}", border=True):
        name = st.text_input("Name of the project", project.name)
        if st.form_submit_button("Rename"):
            try:
                _done(f"The project is called {projects.rename(store, project, name).name} now.")
            except BadInput as fault:
                st.error(plain(str(fault)))
    with st.form(f"put_away.{project.id}", border=True):
        st.markdown("**Put away**")
        st.caption(
            "Nobody sees the project any more, nothing works on it, and answers on their way wait in their browsers. Nothing is "
            "deleted: it can be brought back here, and exported by command."
        )
        sure = st.checkbox("Yes, out of everybody's sight")
        if st.form_submit_button("Put the project away"):
            if sure:
                projects.put_away(store, project)
                st.session_state.pop(state.PROJECT, None)
                _done(f"{project.name} was put away.")
            st.error("Tick the box first: the project will be out of everybody's sight.")
    _offer_back(store, user)


def _offer_back(store: Store, user: User) -> None:
    """Offer the user's projects that were put away."""
    for project, role in store.projects.of_member(user.id, put_away=True):
        if role is Role.LEAD:
            words, button = st.columns([3, 1], vertical_alignment="center")
            words.markdown(f"{plain(project.name)} was put away.")
            if button.button("Bring back", key=f"{state.SETTINGS_BRING_BACK}.{project.id}"):
                projects.bring_back(store, project)
                st.session_state[state.PROJECT] = project.id
                _done(f"{project.name} is back.")


def _new_project(store: Store, user: User, project: Project | None) -> None:
    with st.form(f"project.{project.id if project else 0}", border=False):  # another one, so empty, once the new project is chosen
        name = st.text_input("Name")
        several = st.checkbox("Several labels may hold for one text")
        raw = st.text_area("Labels, one a line", height=160, placeholder="positive\nnegative")
        if st.form_submit_button("Create project", type="primary"):
            wanted = [Label(0, line.strip(), line.strip()) for line in raw.splitlines() if line.strip()]
            wanted = projects.check_labels(wanted)
            made = projects.create_project(store, name, user, exclusive=not several)
            projects.set_label_set(store, made, wanted)
            st.session_state[state.PROJECT] = made.id
            _done(f"The project {made.name} was created, and is the one you see now. Next: Data → Import.")
