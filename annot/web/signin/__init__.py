"""The sign-in form as a component: it posts to /api/sign-in, which sets the HttpOnly cookie, and reloads the page.

Must not see a password in Python: it goes from the browser to the route.
"""

from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from annot.web import locales

FOLDER = Path(__file__).parent


@cache
def _component(name: str) -> Any:
    return st.components.v2.component(
        f"annot_{name}", js=(FOLDER / f"{name}.js").read_text("utf-8"), css=(FOLDER / "form.css").read_text("utf-8")
    )


def show_form() -> None:
    language = locales.known(st.context.locale)
    strings = {key: text for key, text in locales.catalogue(language).items() if key.startswith("sign.")}
    _component("sign_in")(key="sign-in", data={"strings": strings, "language": language, "wrong": locales.catalogue()["sign.wrong"]})


def show_bar(name: str, project: str = "") -> None:
    """Draw who is signed in, the way out, and the project's name where there is nothing to choose."""
    said = {key: locales.say(st.context.locale, f"sign.{key}") for key in ("out", "out.offline")}
    _component("sign_out")(key="sign-out", data={"name": name, "project": project, "strings": said})
