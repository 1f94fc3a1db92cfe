"""The bundled sample as a project, for the demo and the tests. Must not be needed by anything but them."""

from annot import formats
from annot.errors import NotFound
from annot.loop import importing, projects
from annot.records import Project, Split, User
from annot.settings import ROOT
from annot.store import Store

FOLDER = ROOT / "data" / "sample"
NAME = "Larkfield support"


def ensure_sample(store: Store, lead: User) -> Project:
    """Return the sample project, making it and importing its messages and test split where they are missing."""
    try:
        project = store.projects.find(NAME)
    except NotFound:
        project = projects.create_project(store, NAME, lead)
        projects.set_label_set(store, project, projects.read_label_file(FOLDER / "labels.json"))
        project = store.projects.change(project.id, guidelines=(FOLDER / "guidelines.md").read_text(encoding="utf-8"))
    if not store.items.count(project.id, Split.POOL):
        importing.import_file(store, project, FOLDER / "messages.csv", formats.Mapping(text="text", id="id"))
        importing.import_file(store, project, FOLDER / "test.csv", formats.Mapping(text="text", id="id", label="label"), split=Split.TEST)
    return project
