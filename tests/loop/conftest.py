"""The bundled sample, imported and encoded once; each test works on a copy."""

import csv
import shutil
import time
from pathlib import Path

import pytest

from annot.loop import accounts, encoding
from annot.loop.sample import FOLDER, ensure_sample
from annot.records import JobState, Project, Role, User
from annot.settings import Workspace
from annot.store import Store


@pytest.fixture(scope="session")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the sample imported and encoded; tests work on copies."""
    home = Workspace(tmp_path_factory.mktemp("encoded"))
    with Store(home.database) as store:
        lead, _ = accounts.add_account(store, "lead", Role.LEAD, "lead's password")
        project = ensure_sample(store, lead)
        encoding.encode_project(home, store, project, encoding.serving_encoder(home, project), lambda done, total, message: None)
        job = store.jobs.take(time.time(), ["encode"])
        assert job is not None
        store.jobs.finish(job.id, JobState.DONE, time.time())
    return home.home


@pytest.fixture
def home(encoded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    shutil.copytree(encoded, tmp_path / "home")
    monkeypatch.setenv("ANNOT_HOME", str(tmp_path / "home"))
    return Workspace(tmp_path / "home")


@pytest.fixture
def project(store: Store) -> Project:
    return store.projects.find("Larkfield support")


@pytest.fixture
def lead(store: Store) -> User:
    return store.accounts.find("lead")


@pytest.fixture(scope="session")
def gold() -> dict[str, str]:
    with (FOLDER / "gold.csv").open(encoding="utf-8", newline="") as file:
        return {row["id"]: row["label"] for row in csv.DictReader(file)}
