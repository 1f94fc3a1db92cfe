"""What is said of quality on the bundled sample with the real encoder: estimates and reports."""

import json
from dataclasses import replace

import pytest

from annot import frozen
from annot.loop import encoding, labelling, projects, status
from annot.loop.ranking import Ranker
from annot.loop.report import findings, making
from annot.loop.report.look import Look
from annot.loop.targets import settle
from annot.records import Event, Kind, Project, Split, User
from annot.settings import Workspace
from annot.store import Store
from annot.store.reports import Stored
from tests.conftest import add_items
from tests.loop.sample import label_some

# Each test copies a workspace whose 849 texts were encoded, which takes some seconds.
pytestmark = pytest.mark.slow


def test_quality_comes_from_the_test_split_and_from_audit_items_that_are_never_trained_on(
    home: Workspace, store: Store, project: Project, lead: User, gold: dict[str, str]
) -> None:
    ranker = Ranker(home, project.id)
    for _ in range(3):
        ranker.refresh(store)
        label_some(store, project, lead, gold, 20)
    ranker.refresh(store)
    labelled = settle(store.answers.current(project.id), store.projects.labels(project.id), project.exclusive)
    assert labelled.audit.sum() == 6
    assert labelled.train.sum() == 54
    assert not (labelled.train & labelled.audit).any()
    facts = status.lead_facts(store, project)
    test, audit = facts.latest(source="test"), facts.latest(source="audit")
    assert test is not None
    assert audit is not None
    assert (test.n, audit.n, test.labels) == (160, 6 - len(store.queue.released(project.id)), 60)
    assert test.low < test.value < test.high
    assert test.value > 0.6
    assert status.as_json(facts)["accuracy"]["test"]["value"] == test.value


def test_a_report_says_what_the_rows_say_and_remembers_the_one_before(
    home: Workspace, store: Store, project: Project, lead: User, gold: dict[str, str]
) -> None:
    project = projects.change_settings(store, project, {"target": 0.9, "audit_share": 0.4})
    ranker, told = Ranker(home, project.id), []
    assert not making.report_project(home, store, project, lambda *step: told.append(step))
    for _ in range(3):
        ranker.refresh(store)
        label_some(store, project, lead, gold, 20)
        ranker.refresh(store)
        assert making.is_due(store, project, store.answers.labels(project.id))
        assert making.report_project(home, store, project, lambda *step: told.append(step))
    assert not making.is_due(store, project, store.answers.labels(project.id))
    facts = status.lead_facts(store, project)
    report = facts.report
    assert report is not None
    assert (report.labels, report.source, report.target, report.effort.labels) == (60, "test", 0.9, 60)
    newest = facts.latest()
    assert newest is not None
    assert (report.curve[-1].value, report.curve[-1].low, report.curve[-1].n) == (newest.value, newest.low, newest.n)
    assert [one.labels for one in report.history] == [20, 40, 60]
    assert sum(row.answers for row in report.per_label) == 60
    assert sum(row.predicted for row in report.per_label) == pytest.approx(facts.pool, abs=len(report.per_label))
    assert report.held_back.judged == 160
    assert {vote.name for vote in report.verdict.votes} >= {"kappa", "change", "forecast", "target", "budget"}
    assert f"on {newest.n} test labels" in report.verdict.sentence
    assert status.as_json(facts)["report"] == json.loads(json.dumps(frozen.plain(report)))
    assert told[-1] == (3, 3, "The report is made")
    changed = projects.change_settings(store, project, {"target": 0.95})
    assert making.is_due(store, changed, store.answers.labels(project.id))
    store.reports.replace(project.id, Stored(60, 0, 0.0, '{"labels": 1}', "{}"))
    assert making.is_due(store, project, store.answers.labels(project.id))
    assert status.lead_facts(store, project).report is None
    assert making.report_project(home, store, project, lambda *step: None)


def test_texts_imported_after_the_audit_are_said_not_to_be_judged_yet(
    home: Workspace, store: Store, project: Project, lead: User, gold: dict[str, str]
) -> None:
    texts = store.items.texts([item for item, _ in store.items.hashes(project.id, Split.POOL)][:60])
    fresh = projects.create_project(store, "two imports", lead)
    projects.set_label_set(store, fresh, [replace(label, id=0, parent=None) for label in store.projects.labels(project.id)])
    fresh = projects.change_settings(store, store.projects.get(fresh.id), {"audit_share": 0.5})
    add_items(store, fresh, texts)
    ids = [label.id for label in store.projects.labels(fresh.id)]
    ranker = Ranker(home, fresh.id)
    ranker.refresh(store)
    leases = labelling.sync(store, fresh, lead, "tab", events=[], hold=[], want=30).leases
    events = [Event(f"two-{n:06d}", Kind.LABEL, one.item, (ids[n // 2 % 2],), lease=one.id, seconds=2.0) for n, one in enumerate(leases)]
    labelling.sync(store, fresh, lead, "tab", events=events, hold=[], want=0)
    ranker.refresh(store)
    look = Look.at(home, store, fresh)
    assert look is not None
    assert findings.not_audited(look) == ""
    add_items(store, fresh, [f"{text} Again." for text in texts])
    encoding.encode_project(home, store, fresh, encoding.serving_encoder(home, fresh), lambda *step: None)
    look = Look.at(home, store, fresh)
    assert look is not None
    assert findings.not_audited(look).endswith("audit items are of the texts imported last, which are 50 % of the pool")
    assert making.report_project(home, store, fresh, lambda *step: None)
    report = status.lead_facts(store, fresh).report
    assert report is not None
    assert any("imported last" in one for one in (report.verdict.sentence, *report.verdict.advice))
