"""Imports point one way, and nothing that serves the browser loads a machine-learning library."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
LAYERS, WAY = re.findall(r"```mermaid\n(.*?)```", (ROOT / "docs" / "architecture.md").read_text("utf-8"), re.DOTALL)
# What every part may import beside what its arrows lead to.
ANYWHERE = {"errors", "records", "settings", "registry", "frozen", "situation", "passes", "__version__"}
ONLY_IN = {
    "sqlite_utils": {"store"},
    "sqlite3": {"store", "bench"},
    "streamlit": {"web", "app", "bench"},
    "ray": {"compute"},
    "torch": {"encoders", "learners", "bench", "simulate"},
}


@cache
def imports() -> list[tuple[str, str, str]]:
    """Return (file, part of annot it belongs to, what it imports, as a whole name)."""
    found = []
    for path in [ROOT / "app.py", *(ROOT / "annot").rglob("*.py")]:
        part = "app" if path.name == "app.py" else path.relative_to(ROOT / "annot").parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [(str(path.relative_to(ROOT)), part, name) for name in names]
    return found


def drawn_layers() -> dict[str, set[str]]:
    """Return what each part's arrows lead to in the first picture of docs/architecture.md."""
    arrows: dict[str, set[str]] = {}
    for part, to in re.findall(r"(\w+) --> (.+)", LAYERS):
        arrows.setdefault(part, set()).update(name.strip() for name in to.split("&"))
    return arrows


def reachable(part: str, arrows: dict[str, set[str]]) -> set[str]:
    found, ahead = set(), {part}
    while ahead:
        found |= ahead
        ahead = set().union(*(arrows.get(name, set()) for name in ahead)) - found
    return found


def test_every_import_goes_along_the_drawn_arrows() -> None:
    arrows = drawn_layers()
    assert all(part not in reachable(to, arrows) for part, below in arrows.items() for to in below), "an arrow leads back up"
    for file, part, name in imports():
        if name.startswith("annot.") and part not in ("__init__", "__main__"):
            known = reachable(part, arrows) | ANYWHERE
            assert name.split(".")[1] in known, f"{file} must not import {name}: no arrow of docs/architecture.md leads there"


def test_every_drawn_arrow_is_an_import() -> None:
    real = {(part, name.split(".")[1]) for _, part, name in imports() if name.startswith("annot.")}
    assert {(part, to) for part, below in drawn_layers().items() for to in below} <= real


def test_the_way_of_one_label_is_the_one_the_imports_go() -> None:
    names = dict(re.findall(r"(\w+)\[\"([\w/.]+)\"\]", WAY))
    assert all((ROOT / "annot" / file).is_file() for file in names.values())
    real = {(file.removeprefix("annot/"), name) for file, _, name in imports()}
    full = re.findall(r"^ *(\w+)(?:\[[^]]*\])? --> (\w+)", WAY, re.MULTILINE)
    assert len(full) > 10
    for here, there in full:
        module = "annot." + names[there].removesuffix(".py").replace("/", ".")
        found = any(file == names[here] and f"{name}.".startswith(f"{module}.") for file, name in real)
        assert found, f"{names[here]} does not import {names[there]}, as docs/architecture.md draws it"


def test_each_library_has_its_one_owner() -> None:
    for file, part, name in imports():
        owners = ONLY_IN.get(name.split(".")[0])
        assert owners is None or part in owners, f"only {owners} may import {name}, not {file}"


def test_what_serves_the_browser_loads_no_machine_learning_library() -> None:
    heavy = ("torch", "transformers", "sklearn", "scipy", "small_text")
    code = f"import sys, app, annot.web.pages; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
