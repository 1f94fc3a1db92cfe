"""The model that leaves Annot predicts outside it as it does inside, says how good it is, and is for leads only."""

import io
import json
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from annot import encoders
from annot.errors import BadInput
from annot.learners.head import Head
from annot.loop import accounts, encoding, handing_over, labelling
from annot.loop.ranking import Ranker
from annot.loop.report.making import report_project
from annot.records import Event, Kind, Role
from annot.settings import Workspace
from annot.store import Store
from annot.web.api import routes

from .conftest import Small, add_items

HAM, SPAM = "Lunch with the team at noon, see you in the {} room", "WIN a free phone now, call {} to claim your prize"


@pytest.fixture
def judged(home: Workspace, store: Store, small: Small) -> Small:
    """A project whose worker has encoded, ranked, and made a report."""
    texts = [(HAM if n % 2 else SPAM).format(n) for n in range(40)]
    add_items(store, small.project, texts)
    encoder = encoding.serving_encoder(home, small.project)
    encoding.encode_project(home, store, small.project, encoder, lambda *step: None)
    ranker = Ranker(home, small.project.id)
    ids = {label.name: label.id for label in small.labels}
    by_text = {item.text: item.id for item in store.items.page(small.project.id, 200)}
    for n, text in enumerate(texts[:24]):
        event = Event(f"uid-{n:05d}", Kind.LABEL, by_text[text], (ids["ham" if n % 2 else "spam"],), seconds=1.0)
        assert labelling.sync(store, small.project, small.lead, "tab", events=[event], hold=[], want=0).refused == []
    ranker.refresh(store)
    assert report_project(home, store, small.project, lambda *step: None)
    return small


def test_the_exported_model_predicts_elsewhere_what_it_predicts_here(home: Workspace, store: Store, judged: Small, tmp_path: Path) -> None:
    handing_over.save(handing_over.parts_of(home, store, judged.project), tmp_path / "model")
    asked = ["See you at noon", "Claim your free prize now"]
    code = "import json, sys; from predict import Model; print(json.dumps(Model().probabilities(sys.argv[1:]).tolist()))"
    done = subprocess.run([sys.executable, "-c", code, *asked], cwd=tmp_path / "model", capture_output=True, text=True, check=True)
    head = Head.from_arrays(dict(np.load(io.BytesIO(store.reports.head(judged.project.id)))))
    here = head.proba(encoders.load(encoding.serving_encoder(home, judged.project)).encode(asked))
    assert np.array(json.loads(done.stdout)) == pytest.approx(here, abs=0.02)
    lines = "\n".join(asked)
    for arguments, typed in ((asked, ""), ([], lines)):
        command = [sys.executable, "predict.py", *arguments]
        said = subprocess.run(command, cwd=tmp_path / "model", input=typed, capture_output=True, text=True, check=True)
        assert [line.split("\t")[::2] for line in said.stdout.splitlines()] == [["ham", asked[0]], ["spam", asked[1]]]
    card = json.loads((tmp_path / "model" / "card.json").read_text())
    assert (card["project"], card["labels_given"], card["exclusive"]) == ("small", 24, True)


def test_there_is_no_model_before_the_first_report(home: Workspace, store: Store, small: Small) -> None:
    with pytest.raises(BadInput, match="no model yet"):
        handing_over.parts_of(home, store, small.project)


def test_a_head_is_not_handed_over_with_another_encoder_than_it_was_fitted_on(
    home: Workspace, store: Store, judged: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = encoders.identify
    monkeypatch.setattr(handing_over.encoders, "identify", lambda name: replace(real(name), key="another"))
    with pytest.raises(BadInput, match="is not known to fit the encoder"):
        handing_over.parts_of(home, store, judged.project)


def test_a_report_of_a_version_that_kept_no_encoder_is_refused_in_words(home: Workspace, store: Store, judged: Small) -> None:
    head, kept = io.BytesIO(), np.load(io.BytesIO(store.reports.head(judged.project.id)))
    np.savez(head, **{name: kept[name] for name in kept.files if name != "encoder"})
    newest = store.reports.newest(judged.project.id)
    assert newest is not None
    store.reports.replace(judged.project.id, replace(newest, head=head.getvalue()))
    with pytest.raises(BadInput, match="is not known to fit the encoder"):
        handing_over.parts_of(home, store, judged.project)


def test_an_empty_folder_is_filled_and_nothing_but_the_model_is_in_it(home: Workspace, store: Store, judged: Small, tmp_path: Path) -> None:
    parts = handing_over.parts_of(home, store, judged.project)
    for name in ("there", "not there"):
        if name == "there":
            (tmp_path / name).mkdir()
        handing_over.save(parts, tmp_path / name)
        found = {path.relative_to(tmp_path / name).as_posix() for path in (tmp_path / name).rglob("*") if path.is_file()}
        assert found == {part.name for part in parts}


@pytest.mark.parametrize("name", ["model", "model.zip"])
def test_after_a_fault_nothing_is_left_of_a_model(home: Workspace, store: Store, judged: Small, tmp_path: Path, name: str) -> None:
    parts = [*handing_over.parts_of(home, store, judged.project), handing_over.Part("encoder/gone", tmp_path / "gone")]
    with pytest.raises(BadInput, match="cannot be written"):
        handing_over.save(parts, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == []


def test_the_card_tells_no_quality_of_another_model(home: Workspace, store: Store, judged: Small) -> None:
    newest, head = store.reports.newest(judged.project.id), store.reports.head(judged.project.id)
    assert newest is not None
    facts = json.loads(newest.facts)
    point = {"labels": 20, "hours": 0.1, "value": 0.5, "low": 0.4, "high": 0.6, "n": 30, "model": 0}
    for model, known in ((0, True), (7, False)):
        facts["curve"] = [point | {"model": model}]
        store.reports.replace(judged.project.id, replace(newest, facts=json.dumps(facts), head=head))
        parts = {part.name: part.content for part in handing_over.parts_of(home, store, judged.project)}
        assert isinstance(card := parts["card.json"], bytes)
        assert (json.loads(card)["quality"] is not None) is known


def test_nothing_is_written_over(home: Workspace, store: Store, judged: Small, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(BadInput, match="Name a new one"):
        handing_over.save(handing_over.parts_of(home, store, judged.project), tmp_path)


def test_the_route_gives_the_model_to_leads_only(store: Store, judged: Small) -> None:
    anna, password = accounts.add_account(store, "anna", Role.ANNOTATOR)
    store.projects.set_member(judged.project.id, anna.id, Role.ANNOTATOR)
    path = f"/api/projects/{judged.project.id}/model"
    with TestClient(Starlette(routes=routes), headers={"X-Annot": "1"}) as client:
        assert client.get(path).status_code == 401
        client.post("/api/sign-in", json={"name": "anna", "password": password})
        assert client.get(path).status_code == 403
        client.post("/api/sign-in", json={"name": "ada", "password": judged.password})
        answer = client.get(path)
    assert re.fullmatch(r'attachment; filename="small-model-\d{4}-\d\d-\d\d\.zip"', answer.headers["content-disposition"])
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        assert {"card.json", "labels.json", "head.npz", "predict.py", "encoder/config.json", "encoder/model.safetensors"} <= set(
            packed.namelist()
        )
