"""An encoder's folder as bytes, and bytes as a folder that is there whole or not at all. Must not know what is in the files."""

import os
import shutil
import tempfile
from pathlib import Path

Files = dict[str, bytes]

# Weights, tokenizer and settings; formats that Annot does not run stay behind.
SUFFIXES = (".json", ".txt", ".model", ".safetensors", ".bin")
OTHER_FORMATS = ("onnx", "openvino")


def read(folder: Path) -> Files:
    """Return the folder's files by their path in it."""
    found = {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.suffix in SUFFIXES and path.is_file()}
    return {name.as_posix(): path.read_bytes() for name, path in found.items() if name.parts[0] not in OTHER_FORMATS}


def write(files: Files, out: Path) -> None:
    """Make ``out`` a folder of these files, durably and in one step; what was there is replaced."""
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f"{out.name}.unfinished-", dir=out.parent))
    try:
        for name, content in files.items():
            path = unfinished / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        unfinished.chmod(0o755)
        if out.exists():
            shutil.rmtree(out)
        unfinished.replace(out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
