"""What the command of every benchmark shares: how its options begin and how its figures are printed. Must not measure."""

import argparse
import json


def parser(name: str, doc: str | None) -> argparse.ArgumentParser:
    """Return the parser of ``bench NAME``, described by the first line of its module's ``doc``, with ``--json``."""
    made = argparse.ArgumentParser(prog=f"python -m annot bench {name}", description=(doc or "").partition("\n")[0])
    made.add_argument("--json", action="store_true")
    return made


def report(result: dict[str, object], options: argparse.Namespace) -> int:
    """Print the figures, as one JSON object with ``--json``; return the exit code."""
    print(json.dumps(result) if options.json else "\n".join(f"{key}: {value}" for key, value in result.items()))
    return 0
