"""The Label page: the panel with its constant data. The panel talks to /api by itself; a rerun of this page does not redraw it."""

import streamlit as st

from annot.records import Project, Split, User
from annot.store import Store
from annot.web import locales, panel


def show(store: Store, user: User, project: Project) -> None:
    labels = store.projects.labels(project.id)
    if not labels:
        st.info("This project has no labels yet. A lead adds them under Settings.")
        return
    if not store.items.count(project.id, Split.POOL):
        st.info("This project has no texts yet. A lead imports them under Data.")
        return
    panel.mount(
        {
            "api": f"/api/projects/{project.id}",
            "account": user.id,
            "project": {"id": project.id, "name": project.name, "exclusive": project.exclusive},
            "labels": [
                {
                    "id": label.id,
                    "name": label.name,
                    "title": label.title,
                    "description": label.description,
                    "key": label.key,
                    "parent": label.parent,
                }
                for label in labels
            ],
            "guidelines": project.guidelines,
            "options": {
                "suggest": "off",
                "order_likely": False,
                "allow_not": False,
                "allow_either": False,
                "allow_inner": False,
                "highlights": [],
            },
            "strings": locales.catalogue("en"),
            "language": "en",
        }
    )
