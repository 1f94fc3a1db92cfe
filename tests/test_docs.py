"""The docs name everything there is: commands, settings, encoders, benchmarks; links lead somewhere."""

import dataclasses
import re
from pathlib import Path

import pytest

from annot import encoders
from annot.bench import names as benchmarks
from annot.settings import GROUPS, ProjectSettings

from .test_cli import COMMANDS

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "data").glob("sample/*.md")])
REFERENCE = (ROOT / "docs" / "reference.md").read_text("utf-8")

NAMED = {
    "command": COMMANDS,
    "setting": [spec.name for spec in dataclasses.fields(ProjectSettings)],
    "encoder": encoders.names(),
    "benchmark": benchmarks(),
}


@pytest.mark.parametrize(("what", "name"), [(what, name) for what, names in NAMED.items() for name in names])
def test_the_reference_names_it(what: str, name: str) -> None:
    assert f"`{name}`" in REFERENCE, f"docs/reference.md does not mention the {what} {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8")):
        assert target.startswith("http") or (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_setting_stands_under_one_heading() -> None:
    grouped = [name for names in GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(spec.name for spec in dataclasses.fields(ProjectSettings))
