"""Benchmarks as commands: ``python -m annot bench NAME --json``. Each measures ours and, where it makes a claim, a baseline in one run.

A module whose name begins with an underscore is what several share; one that ends so is named by a word Python keeps for itself.
Must not be imported by anything but the command line and tests.
"""

from importlib import import_module
from keyword import iskeyword
from pkgutil import iter_modules
from types import ModuleType

from annot.errors import UnknownName


def names() -> list[str]:
    return sorted(module.name.removesuffix("_") for module in iter_modules(__path__) if not module.name.startswith("_"))


def module_of(name: str) -> ModuleType:
    """Return the module of a benchmark. Raises UnknownName."""
    if name not in names():
        raise UnknownName("benchmark", name, names())
    return import_module(f"annot.bench.{name}_" if iskeyword(name) else f"annot.bench.{name}")


def run_bench(name: str, arguments: list[str]) -> int:
    """Run one benchmark's ``main(arguments)``. Raises UnknownName."""
    code: int = module_of(name).main(arguments)
    return code
