"""Each page draws without a fault, for who may see it, on an empty and on a filled project."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from annot.loop import accounts, projects
from annot.loop.sample import ensure_sample
from annot.records import Event, Kind, Role
from annot.settings import Workspace
from annot.simulate import report
from annot.simulate.cell import make
from annot.simulate.grid import Result
from annot.store import Store
from annot.web.plain import plain

ENTRY = Path(__file__).parent.parent / "annot" / "web" / "pages" / "entry.py"


@pytest.fixture(autouse=True)
def main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """AppTest puts a script that is gone afterwards in the place of __main__, and a process started later would run it."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


def page(name: str, project_name: str) -> AppTest:
    """Draw one page as its function, as the lead."""

    def script(name: str, project_name: str) -> None:
        import importlib

        from annot.settings import workspace
        from annot.store import Store

        with Store(workspace().database) as store:
            project = store.projects.find(project_name)
            importlib.import_module(f"annot.web.pages.{name}").show(store, store.accounts.find("lead"), project)

    return AppTest.from_function(script, kwargs={"name": name, "project_name": project_name}, default_timeout=30).run()


@pytest.fixture
def filled(home: Workspace, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    lead, password = accounts.add_account(store, "lead", Role.LEAD)
    _, token = accounts.sign_in(store, "lead", password)
    # AppTest has no browser that could send the cookie to the fragment.
    monkeypatch.setattr("annot.web.pages.lead.token_of", lambda cookies: token)
    ensure_sample(store, lead)
    projects.create_project(store, "empty", lead)


@pytest.mark.parametrize("project", ["Larkfield support", "empty"])
@pytest.mark.parametrize("name", ["label", "lead", "data", "settings"])
def test_a_page_draws(filled: None, name: str, project: str) -> None:
    drawn = page(name, project)
    assert not drawn.exception
    assert not drawn.error


def test_text_is_shown_as_it_is_where_markdown_is_read() -> None:
    assert plain("![x](http) *a* _b_ `c` <d> $e$") == r"\!\[x\]\(http\) \*a\* \_b\_ \`c\` \<d\> \$e\$"


def test_a_flag_and_its_note_reach_the_lead(filled: None, store: Store) -> None:
    project, lead = store.projects.find("Larkfield support"), store.accounts.find("lead")
    item = store.items.page(project.id, 1)[0]
    store.answers.record(project.id, lead.id, [Event("uid-00001", Kind.FLAG, item.id, note="two topics")], 1.0)
    shown = [frame.value for frame in page("lead", "Larkfield support").dataframe if "Note" in frame.value and "By" in frame.value]
    assert shown[0].to_dict("records") == [{"Text": item.text, "Note": "two topics", "By": "lead"}]


def test_the_lead_page_shows_nothing_more_once_the_session_has_ended(filled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annot.web.pages.lead.token_of", lambda cookies: None)
    drawn = page("lead", "Larkfield support")
    assert not drawn.metric
    assert "sign in" in drawn.error[0].value


def test_without_a_session_only_the_sign_in_form_is_drawn(filled: None) -> None:
    drawn = AppTest.from_file(str(ENTRY), default_timeout=30).run()
    assert not drawn.exception
    assert not drawn.title
    assert not drawn.metric


def test_settings_refuses_a_bad_label_set_in_words(filled: None, home: Workspace) -> None:
    drawn = page("settings", "empty")
    drawn.text_area[-1].set_value("a\na")
    next(one for one in drawn.text_input if one.label == "Name" and one.value == "").set_value("new")
    next(button for button in drawn.button if button.label == "Create project").click().run()
    assert "twice" in drawn.error[0].value
    with Store(home.database) as again:
        assert [project.name for project in again.projects.all()] == ["Larkfield support", "empty"]


def test_what_was_simulated_is_on_the_lead_page(filled: None, home: Workspace) -> None:
    assert "simulation" not in " ".join(one.value for one in page("lead", "empty").subheader)
    cell = asdict(make("toy", "default", 1)) | {"metric": "accuracy", "texts": 2_000}
    points = [{"labels": labels, "accuracy": labels / 200, "macro_f1": 0.0} for labels in (30, 80, 130)]
    result = Result("key", cell, points, [], 2.0, {}, "x", 0.0)
    report.results_file(home).parent.mkdir(parents=True)
    report.results_file(home).write_text(json.dumps(asdict(result)) + "\n")
    drawn = page("lead", "empty")
    assert not drawn.exception
    assert "simulation" in " ".join(one.value for one in drawn.subheader)
    assert drawn.selectbox[0].value == "toy"
    assert drawn.dataframe[-1].value["Score"].tolist() == [0.65]
    report.results_file(home).write_text("nonsense\n")
    assert "line 1" in page("lead", "empty").error[0].value
