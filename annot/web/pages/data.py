"""The Data page: import a file, browse and search the items, export the labels. Must not parse or write files itself."""

import io
import tempfile
from pathlib import Path

import pandas as pd
import streamlit as st

from annot import formats
from annot.errors import AnnotError, BadInput
from annot.loop import exporting, handing_over, importing
from annot.records import Item, Kind, Project, Split, User
from annot.settings import workspace
from annot.store import Store
from annot.web import state
from annot.web.downloads import file_name
from annot.web.plain import plain

SHOWN = 50
# Rows of a file by which its columns are guessed.
LOOKED_AT = 50
PROBLEMS_SHOWN = 200
NONE = "(none)"


def show(store: Store, user: User, project: Project) -> None:
    st.title("Data")
    bring, look, take = st.tabs(["Import", "Browse", "Export"])
    with bring:
        _import(store, project)
    with look:
        _browse(store, project)
    with take:
        _export(store, project)


def _import(store: Store, project: Project) -> None:
    _last_report(project)
    upload = st.file_uploader(
        f"A file: {', '.join(formats.suffixes())}, each also .gz",
        type=[*formats.suffixes(), ".gz"],
        key=f"{state.DATA_UPLOAD}.{project.id}.{st.session_state.get(state.DATA_UPLOADS, 0)}",
        help="Every row becomes an item. Importing the same file again adds nothing.",
    )
    if upload is None:
        _past_imports(store, project)
        return
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / Path(upload.name).name
            _save(upload, path)
            _import_saved(store, project, path)
    except BadInput as fault:
        st.error(plain(str(fault)))


def _save(upload: io.BytesIO, path: Path) -> None:
    upload.seek(0)
    with path.open("wb") as out:
        while part := upload.read(2**20):
            out.write(part)


def _import_saved(store: Store, project: Project, path: Path) -> None:
    columns = formats.columns(path)
    first = formats.preview(path, LOOKED_AT)
    guessed = formats.guess(columns, first)
    cells = st.columns(4)
    text = cells[0].selectbox("Text", columns, index=columns.index(guessed.text) if guessed.text in columns else 0)
    chosen = {}
    for cell, (name, title, found) in zip(
        cells[1:], (("id", "Id", guessed.id), ("label", "Existing label", guessed.label), ("split", "Split", guessed.split)), strict=True
    ):
        options = [NONE, *columns]
        picked = cell.selectbox(title, options, index=options.index(found) if found in columns else 0)
        chosen[name] = None if picked == NONE else picked
    st.caption("The other columns are kept as metadata. The first rows:")
    st.dataframe(pd.DataFrame(first[:5]).astype(str), hide_index=True, width="stretch")
    if not formats.is_prose(first, text):
        st.warning(f"The column {plain(text)} holds numbers or single words. Is it the one with the texts?")
    left, right = st.columns([2, 3], vertical_alignment="bottom")
    split = left.selectbox(
        "Rows that do not say their split go to",
        [Split.POOL, Split.TEST],
        format_func={"pool": "the pool, to be labelled", "test": "the test split, to measure quality"}.__getitem__,
    )
    strict = right.checkbox("Refuse the whole file if any row cannot be read")
    if not st.button("Import", type="primary", icon=":material/upload:"):
        return
    bar = st.progress(0.0, text="Importing …")

    def show_progress(done: int, total: int) -> None:
        bar.progress(min(1.0, done / total) if total else 1.0, text=f"Importing … {done / 2**20:.1f} of {total / 2**20:.1f} MB")

    mapping = formats.Mapping(text=text, **chosen)
    report = importing.import_file(store, project, path, mapping, split=split, strict=strict, on_progress=show_progress)
    st.session_state[f"{state.DATA_REPORT}.{project.id}"] = report
    st.session_state[state.DATA_UPLOADS] = st.session_state.get(state.DATA_UPLOADS, 0) + 1  # so that the field is empty again
    st.rerun()


def _last_report(project: Project) -> None:
    report = st.session_state.get(f"{state.DATA_REPORT}.{project.id}")
    if report is None:
        return
    st.success(f"{plain(report.filename)}: {report.words}. Next: invite people under Settings → Members, or label yourself.")
    if report.problems:
        with st.expander(f"{report.refused:,} rows were refused"):
            frame = pd.DataFrame(report.problems[:PROBLEMS_SHOWN], columns=["line", "reason"])
            st.dataframe(frame, hide_index=True, width="stretch")
            if report.refused > PROBLEMS_SHOWN:
                st.caption(f"The first {PROBLEMS_SHOWN} are shown.")


def _past_imports(store: Store, project: Project) -> None:
    past = store.items.imports(project.id)
    if past:
        rows = [
            {"File": one.filename, "State": one.state, "Pool": one.pool, "Test": one.test, "Known": one.known, "Refused": one.refused}
            for one in past[:SHOWN]
        ]
        st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch")


def _browse(store: Store, project: Project) -> None:
    words = st.text_input("Search the texts", key=state.DATA_SEARCH, placeholder="words or beginnings of words")
    items = store.items.search(project.id, words, SHOWN) if words.strip() else store.items.page(project.id, SHOWN)
    if not items:
        st.caption("No text holds all of these words." if words.strip() else "There are no items yet.")
        return
    st.caption(f"The {len(items)} best matches" if words.strip() else f"The newest {len(items)} items")
    st.dataframe(pd.DataFrame([_row(store, project, item) for item in items]), hide_index=True, width="stretch", row_height=64)


def _row(store: Store, project: Project, item: Item) -> dict[str, str]:
    names = {label.id: label.title for label in store.projects.labels(project.id)}
    answers = store.answers.of_item(project.id, item.id)
    said = "; ".join(
        f"{', '.join(names[label] for label in answer.labels) or '(none of these)'} ({answer.user})"
        if answer.kind is Kind.LABEL
        else f"skipped ({answer.user})"
        for answer in answers
    )
    return {"Id": item.external_id, "Text": item.text, "Split": item.split.value, "Labels": said}


def _export(store: Store, project: Project) -> None:
    st.subheader("The labels")
    st.write("The current labels, each with who gave it, when, why the item was asked, and which model had ranked it.")
    left, middle, right = st.columns(3)
    kind = left.selectbox("Format", list(formats.writers))
    split = middle.selectbox("Which items", ["pool", "test", "all"])
    skips = right.checkbox("Also what was skipped")
    if st.button("Prepare the file", icon=":material/ios_share:"):
        buffer = io.BytesIO()
        rows = exporting.export_rows(store, project, None if split == "all" else Split(split), skips=skips)
        try:
            labels = [label.name for label in store.projects.labels(project.id)]
            formats.write(kind, buffer, rows, columns=exporting.COLUMNS, labels=labels)
        except AnnotError as fault:
            st.error(plain(str(fault)))
            return
        st.session_state[f"{state.DATA_EXPORT}.{project.id}"] = (
            file_name(project, f"labels-{split}", formats.writers.get(kind).suffix),
            buffer.getvalue(),
        )
    if prepared := st.session_state.get(f"{state.DATA_EXPORT}.{project.id}"):
        name, content = prepared
        st.download_button(
            f"Download {plain(name)} ({len(content) / 1024:,.0f} kB)", content, file_name=name, type="primary", icon=":material/download:"
        )
    st.subheader("The model")
    try:
        handing_over.parts_of(workspace(), store, project)
    except AnnotError as fault:
        st.write(plain(str(fault)))
        return
    st.write("What the newest report judged: encoder, head, labels, a card, and a script that predicts. Made anew with each report.")
    st.link_button("Download the model (.zip)", f"/api/projects/{project.id}/model", icon=":material/download:")
