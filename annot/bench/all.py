"""Every benchmark that measures speed, one after the other, and the part of docs/benchmarks.md that says what they found.

Each runs in a process of its own, at its own default size. What was found stands in speed.json beside the page, which is made from it,
so one of them can be run again alone. Must not hold a figure: what is on the page came out of a run.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from annot import generated
from annot.bench import _ceiling, module_of
from annot.settings import ROOT

# In the order of the page. `loop` and `sessions` take minutes of real time and are run by hand.
SPEED = ("encode", "rerank", "lease", "labels", "import", "run", "panel", "lead", "ray", "million")
DATA = ROOT.parent / "shared" / "datasets" / "ag_news"
REAL_TEXTS = ("encode", "run")
MAKER = "python -m annot bench all"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m annot bench all", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", nargs="+", choices=SPEED, default=SPEED, metavar="NAME")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "benchmarks.md", help="where to write what was found")
    parser.add_argument("--json", action="store_true", help="print the figures")
    options = parser.parse_args(arguments)
    facts = options.page.parent / "speed.json"
    known: dict[str, dict[str, object]] = json.loads(facts.read_text("utf-8")) if facts.exists() else {}
    for name in options.only:
        known[name] = {"on": time.strftime("%Y-%m-%d", time.gmtime()), **figures(name)}
        facts.write_text(json.dumps(known, indent=1) + "\n", "utf-8")
    generated.put(options.page, MAKER, section({name: known[name] for name in SPEED if name in known}), "Benchmarks")
    if options.json:
        print(json.dumps({name: known[name] for name in options.only}))
    return 0 if all("error" not in known[name] for name in options.only) else 1


def figures(name: str) -> dict[str, object]:
    """Run one benchmark; what it could not measure is an ``error`` in its place, and costs the others nothing."""
    real = ["--data", str(DATA)] if name in REAL_TEXTS and DATA.is_dir() else []
    print(f"bench {name} …", file=sys.stderr, flush=True)
    done = subprocess.run([sys.executable, "-m", "annot", "bench", name, "--json", *real], capture_output=True, text=True)
    try:
        result: dict[str, object] = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        return {"error": (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]}
    return result


def section(found: dict[str, dict[str, object]]) -> str:
    """Return the page's part: the machine, then a table a benchmark."""
    from annot.encoders import best_device

    about = ", ".join(f"{key} {value}" for key, value in _ceiling.machine(best_device()).items())
    parts = ["## Speed", "", f"Each baseline was measured in the same run as ours. The page was made on: {about}."]
    for name, result in found.items():
        described = (module_of(name).__doc__ or "").splitlines()[0]
        parts += ["", f"### bench {name}", "", described, "", "| figure | value |", "|---|---|"]
        parts += [f"| `{key}` | {shown(value)} |" for key, value in result.items()]
    return "\n".join(parts)


def shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {shown(one)}" for key, one in value.items())
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
