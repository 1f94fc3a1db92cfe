"""Imports point one way, and nothing that serves the browser loads a machine-learning library."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
BASE = {"errors", "records", "settings", "registry", "frozen"}
MIDDLE = {"store", "formats", "encoders", "vectors", "twins", "selectors", "selftraining", "learners", "quality", "probe"}
MAY_IMPORT = dict.fromkeys(BASE, BASE) | dict.fromkeys(MIDDLE, BASE)
MAY_IMPORT |= dict.fromkeys(("learners", "probe"), BASE | {"encoders"})
MAY_IMPORT |= {"compute": BASE | {"encoders", "learners"}, "loop": BASE | MIDDLE | {"compute"}}
PROGRAMS = {"job", "worker", "simulate", "demo", "bench", "cli", "__main__", "web"}
ONLY_IN = {
    "sqlite_utils": {"store"},
    "sqlite3": {"store", "bench"},
    "streamlit": {"web", "app", "bench"},
    "ray": {"compute"},
    "torch": {"encoders", "learners", "bench", "simulate"},
}


def imports() -> list[tuple[str, str, str]]:
    """Return (file, part of annot it belongs to, module it imports)."""
    found = []
    for path in [ROOT / "app.py", *(ROOT / "annot").rglob("*.py")]:
        part = "app" if path.name == "app.py" else path.relative_to(ROOT / "annot").parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module] if node.module != "annot" else [f"annot.{alias.name}" for alias in node.names]
            found += [(str(path.relative_to(ROOT)), part, name) for name in names]
    return found


def test_imports_point_one_way() -> None:
    for file, part, name in imports():
        if name.startswith("annot.") and part in MAY_IMPORT:
            assert name.split(".")[1] in MAY_IMPORT[part] | {part}, f"{file} must not import {name}"
        if name.startswith("annot.") and part == "loop":
            assert name.split(".")[1] not in PROGRAMS, f"{file} must not import {name}"


def test_each_library_has_its_one_owner() -> None:
    for file, part, name in imports():
        owners = ONLY_IN.get(name.split(".")[0])
        assert owners is None or part in owners, f"only {owners} may import {name}, not {file}"


def test_what_serves_the_browser_loads_no_machine_learning_library() -> None:
    heavy = ("torch", "transformers", "sklearn", "scipy", "small_text")
    code = f"import sys, app, annot.web.pages; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
