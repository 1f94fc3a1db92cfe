"""The Label page: the panel with its constant data. The panel talks to /api by itself; a rerun of this page does not redraw it."""

import streamlit as st

from annot.loop import labelling
from annot.records import Project, Split, User
from annot.settings import ProjectSettings
from annot.store import Store
from annot.web import locales, panel


def show(store: Store, user: User, project: Project) -> None:
    labels = store.projects.labels(project.id)
    if not labels:
        st.info(locales.say(st.context.locale, "page.no_labels"))
        return
    if not store.items.count(project.id, Split.POOL):
        st.info(locales.say(st.context.locale, "page.no_texts"))
        return
    language = locales.known(st.context.locale)
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
            "setup": labelling.setup_stamp(project, labels),
            "options": _options(ProjectSettings.parse(project.settings)),
            "strings": locales.catalogue(language),
            "language": language,
        }
    )


def _options(settings: ProjectSettings) -> dict[str, object]:
    return {
        "suggestions": settings.suggestions,
        "likely_first": settings.likely_first,
        "allow_not": settings.allow_not,
        "allow_either": settings.allow_either,
        "allow_inner": settings.allow_inner,
        "highlights": [_highlight(line.strip()) for line in settings.highlights.splitlines() if line.strip()],
    }


def _highlight(line: str) -> dict[str, object]:
    regex = len(line) > 2 and line.startswith("/") and line.endswith("/")
    return {"pattern": line[1:-1] if regex else line, "regex": regex}
