"""The labelling panel: a Streamlit component (components v2) that holds the next items and sends answers to the API itself.

Responsible for putting the panel's own JavaScript and CSS on a page with constant data. It must not read the store,
keep state, or react to what the panel does: labels travel over HTTP, never through a rerun of the page.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

HERE = Path(__file__).parent
# In the order of their imports. Streamlit loads a component's script as one module from a blob: address, where relative
# imports cannot resolve. So the files, which are ordinary ES modules (node can import and test each by itself), are
# joined into one by dropping their one-line imports and the word "export". They then share one scope: a name declared
# in two files is a SyntaxError as soon as the module is loaded, so a clash cannot go unseen.
SCRIPTS = (
    "storage.js",
    "tabs.js",
    "outbox.js",
    "sync.js",
    "words.js",
    "labels.js",
    "keys.js",
    "held.js",
    "history.js",
    "clock.js",
    "choice.js",
    "session.js",
    "connection.js",
    "text.js",
    "dom.js",
    "prose.js",
    "buttons.js",
    "card.js",
    "choices.js",
    "head.js",
    "view.js",
    "dialogs.js",
    "searching.js",
    "noting.js",
    "mine.js",
    "desk.js",
    "screen.js",
    "asking.js",
    "commands.js",
    "presses.js",
    "panel.js",
)
_IMPORT = re.compile(r"^import .*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?!default )", re.MULTILINE)


def script() -> str:
    """Return the panel's files as one ES module whose default export is what Streamlit calls."""
    return "\n".join(_EXPORT.sub("", _IMPORT.sub("", (HERE / name).read_text(encoding="utf-8"))) for name in SCRIPTS)


@cache
def _component() -> Any:
    return st.components.v2.component("annot_panel", css=(HERE / "panel.css").read_text(encoding="utf-8"), js=script())


def mount(data: dict[str, Any]) -> None:
    """Show the panel. ``data`` must stay the same from rerun to rerun; its keys are listed at the top of panel.js."""
    _component()(key="annot_panel", data=data)
