"""Compressed files: gzip is read as it is; zstd and bzip2 are unpacked beside the warehouse first.

The engine reads no bzip2, and half a zstd file as an empty one, without a word.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pyarrow as pa

from orchestration.edges.locks import held
from orchestration.errors import Refusal

_UNPACKED = {".zst": "zstd", ".zstd": "zstd", ".bz2": "bz2"}
PACKED = (".gz", *_UNPACKED)
_BLOCK = 8_000_000


def is_packed(name: str) -> bool:
    """Whether a file's name says that it is compressed."""
    return name.lower().endswith(PACKED)


@contextmanager
def unpacked(path: Path, beside: Path) -> Iterator[Path]:
    """A file that the readers can open: the file itself, or a copy without its compression that lives as long as the context.

    Args:
        beside: Folder of the warehouse, made if there is something to unpack.

    Raises:
        Refusal: if the file is cut off, or not compressed as its name says.
    """
    compression = _UNPACKED.get(path.suffix.lower())
    if compression is None or not path.exists():
        yield path
        return
    with room(beside) as folder:
        plain = folder / path.stem
        try:
            with pa.input_stream(str(path), compression=compression) as packed, plain.open("wb") as copy:
                while block := packed.read(_BLOCK):
                    copy.write(block)
        except OSError as error:
            if error.errno is not None:  # of the disk, not of the content
                raise
            reason = str(error).splitlines()[0]
            raise Refusal(path.name, f"cannot be read ({reason})", "Check the file, or write it again.") from error
        yield plain


@contextmanager
def room(beside: Path) -> Iterator[Path]:
    """A folder of its own for copies in clear, gone at the end; what a kill left of earlier ones goes first."""
    parent = beside / "unpacked"
    parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        with held(parent):
            for left in parent.iterdir():
                with suppress(BlockingIOError, FileNotFoundError), held(left, wait=False):
                    shutil.rmtree(left)
            folder = Path(tempfile.mkdtemp(dir=parent))
            stack.enter_context(held(folder))
        stack.callback(shutil.rmtree, folder)
        yield folder
