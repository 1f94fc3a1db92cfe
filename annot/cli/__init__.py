"""The command line: each command is a thin shell over a use case. Exit codes: 0 done, 1 failed, 2 wrong usage.

Must not import torch, and must not print a traceback for anything an AnnotError explains.
"""

import argparse
import logging
import sys

from annot import __version__
from annot.cli import people, programs, project
from annot.cli.base import Work
from annot.errors import AnnotError
from annot.settings import workspace


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    try:
        code: int | None = arguments.work(workspace(), arguments)
        return code or 0
    except AnnotError as fault:
        print(f"annot: {fault}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("annot: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output went away, e.g. `| head`
        sys.stderr.close()
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m annot",
        description="Active-learning annotation of text. ANNOT_HOME names the workspace folder (default: data/workspace).",
    )
    parser.add_argument("--version", action="version", version=f"annot {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, work: Work, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(work=work)
        return added

    for part in (programs, project, people):
        part.add_commands(command)
    one = commands.add_parser("job")  # what the worker starts; not for people, so not in the help
    one.add_argument("id", type=int)
    one.set_defaults(work=programs.run_job)
    return parser
