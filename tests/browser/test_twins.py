"""Texts that are as good as identical are shown, labelled on confirmation, each as its own event, and undone as one."""

import pytest

from annot.loop import projects
from annot.records import Kind, Label, Project, QueueRow, Ranking, Reason, Split
from tests.conftest import add_items

from .conftest import App, OpenPage

TEXTS = [
    "Where is my parcel?",
    "where is my parcel",
    "WHERE IS MY PARCEL?!",
    "The invoice shows <b>twice</b> the price.",
    "Close my account.",
]


@pytest.fixture
def project(app: App) -> Project:
    """Three texts are alike by hand; the queue asks for the first of them, then for the others in order."""
    with app.store() as store:
        project = projects.create_project(store, "alike", app.lead)
        projects.set_label_set(store, project, [Label(0, "ship", "Shipping"), Label(0, "other", "Other")])
        add_items(store, project, TEXTS)
        items = [item for item, _ in store.items.hashes(project.id, Split.POOL)]
        store.twins.replace(project.id, [(item, items[0]) for item in items[:3]], "by hand")
        store.queue.rewrite(project.id, [QueueRow(item, Reason.UNCERTAIN, 0.5) for item in items], Ranking(0, 0, 0, "x", 0.0, 0.0), 0)
    return project


def test_a_group_is_labelled_on_confirmation_and_undone_as_one(app: App, project: Project, open_page: OpenPage) -> None:
    app.start("web")
    page = open_page(wait="[data-command='twins']:not([hidden])")
    first = page.locator("[data-item]").get_attribute("data-item")
    page.keyboard.press("t")
    page.wait_for_selector("dialog[data-dialog='twins']")
    assert page.locator("[data-twin]").all_text_contents() == TEXTS[1:3]
    page.keyboard.press("1")  # a press while the dialog is open answers nothing
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-command='twins'][aria-pressed='true']")
    page.keyboard.press("1")
    page.wait_for_selector(f"[data-item]:not([data-item='{first}'])")
    assert page.locator("[data-item]").text_content() == TEXTS[3]
    page.wait_for_selector("[data-state='saved']")
    with app.store() as store:
        stored = [(answer.kind, answer.reason) for answer in store.answers.current(project.id)]
    assert stored == [(Kind.LABEL, Reason.UNCERTAIN), (Kind.LABEL, Reason.TWIN), (Kind.LABEL, Reason.TWIN)]
    page.keyboard.press("Backspace")
    page.wait_for_selector(f"[data-item='{first}']")
    page.wait_for_selector("[data-state='saved']")
    with app.store() as store:
        assert list(store.answers.current(project.id)) == []


def test_without_confirmation_only_the_text_on_screen_is_answered(app: App, project: Project, open_page: OpenPage) -> None:
    app.start("web")
    page = open_page(wait="[data-command='twins']:not([hidden])")
    page.keyboard.press("t")
    page.wait_for_selector("dialog[data-dialog='twins']")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="detached")
    first = page.locator("[data-item]").get_attribute("data-item")
    page.keyboard.press("1")
    page.wait_for_selector(f"[data-item]:not([data-item='{first}'])")
    page.wait_for_selector("[data-state='saved']")
    with app.store() as store:
        assert len(list(store.answers.current(project.id))) == 1
