"""What several tests need: an empty store, a small project, and a way to run the command line. Must not fake anything."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from annot.loop import accounts, projects
from annot.records import Label, Project, Role, Split, User
from annot.settings import Workspace
from annot.store import Store
from annot.store.items import NewItem
from annot.vectors import content_hash

DATASETS = Path(__file__).resolve().parents[2] / "shared" / "datasets"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("ANNOT_HOME", str(tmp_path / "home"))
    return Workspace(tmp_path / "home")


@pytest.fixture
def store(home: Workspace) -> Iterator[Store]:
    with Store(home.database) as opened:
        yield opened


@dataclass(frozen=True)
class Small:
    """A project of ``pool`` short texts with the labels ham and spam, its lead, and their password."""

    project: Project
    lead: User
    password: str
    labels: list[Label]


@pytest.fixture
def small(store: Store) -> Small:
    lead, password = accounts.add_account(store, "ada", Role.LEAD)
    project = projects.create_project(store, "small", lead)
    labels = projects.set_label_set(store, project, [Label(0, "ham", "Ham"), Label(0, "spam", "Spam")])
    add_items(store, project, [f"text number {n}" for n in range(100)])
    return Small(project, lead, password, labels)


def add_items(store: Store, project: Project, texts: list[str], split: Split = Split.POOL, labels: list[int] | None = None) -> None:
    now = time.time()
    import_id = store.items.start_import(project.id, "made by a test", 0, now)
    items = [
        NewItem(f"{split}-{import_id}-{n}", text, content_hash(text), split, {}, None if labels is None else (labels[n],))
        for n, text in enumerate(texts)
    ]
    store.items.stage(project.id, import_id, items, 0, now)
    store.items.finish_import(import_id, store.accounts.importer(now).id, 0, 0, now)


def dataset(name: str) -> Path:
    """Return a shared data set's folder, or skip visibly where it is absent."""
    folder = DATASETS / name
    if not folder.is_dir():
        pytest.skip(f"the data set {name} is not at {folder}")
    return folder
