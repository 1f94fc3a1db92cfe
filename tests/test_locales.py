"""The catalogues of interface text: every language has every sentence, with the same names to fill in, and the code uses no other."""

import re

import pytest

from annot.web import locales

OTHERS = [language for language in locales.languages() if language != locales.DEFAULT]


def test_there_is_a_second_language() -> None:
    assert OTHERS


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_has_every_sentence_with_the_same_blanks(language: str) -> None:
    def blanks(sentences: dict[str, str]) -> dict[str, list[str]]:
        return {key: sorted(re.findall(r"{\w+}", text)) for key, text in sentences.items()}

    assert blanks(locales.catalogue(language)) == blanks(locales.catalogue())


@pytest.mark.parametrize("language", locales.languages())
def test_every_sentence_the_scripts_name_is_there(language: str) -> None:
    known = locales.catalogue(language)
    scripts = (locales.HERE.parent).glob("*/*.js")
    named = {key for script in scripts for key in re.findall(r'"((?:panel|sign)\.[a-z_.]+[a-z_])"', script.read_text(encoding="utf-8"))}
    assert len(named) > 30
    assert {key for key in named if not any(f"{key}{form}" in known for form in ("", ".one", "_none"))} == set()


@pytest.mark.parametrize(("asked", "language"), [("de-AT", "de"), ("en-GB", "en"), ("xx", "en"), (None, "en")])
def test_a_browser_gets_its_language_or_english(asked: str | None, language: str) -> None:
    assert locales.known(asked) == language
    assert locales.say(asked, "sign.in") == locales.catalogue(language)["sign.in"]
