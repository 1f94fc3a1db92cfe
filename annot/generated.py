"""The part of a page that a command makes, between two marks; the rest of the page is people's. Must not know what is in it."""

from pathlib import Path


def put(path: Path, maker: str, content: str, title: str) -> None:
    """Write ``content`` into the page in place of what ``maker`` (the command's words) put there before, else at the end.

    A page that does not exist yet begins with ``title``.
    """
    begin, end = f"<!-- made by: {maker}; do not edit -->", f"<!-- end of what {maker} made -->"
    old = path.read_text("utf-8") if path.exists() else f"# {title}\n"
    before, _, rest = old.partition(begin)
    after = rest.partition(end)[2]
    path.write_text(f"{before.rstrip()}\n\n{begin}\n\n{content.strip()}\n\n{end}\n\n{after.strip()}".rstrip() + "\n", "utf-8")
