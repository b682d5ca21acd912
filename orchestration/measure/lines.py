"""Lines of newline-delimited files: whether the last one is whole, and single ones fetched by their place."""

import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from orchestration.measure.packing import is_packed

_BLOCK = 8_000_000
_BLANK = b" \t\r\n"


def open_bytes(path: Path) -> BinaryIO:
    """The bytes of a file, decompressed where its name says so."""
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    return cast(BinaryIO, opener(path, "rb"))


def ends_whole(path: Path) -> bool:
    """Whether an uncompressed file ends with a line end; a compressed one says itself whether it is whole."""
    if is_packed(path.name):
        return True
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 1))
        return stream.read(1) == b"\n"


def lines_at(path: Path, places: Sequence[int]) -> Iterator[tuple[int, int, bytes]]:
    """The lines at some places among those that are not blank (0 is the first).

    Args:
        places: In ascending order.

    Yields:
        Place, number of the line in the file (1 is the first), and the line without its end.
    """
    wanted = iter(places)
    target = next(wanted, None)
    place = number = 0
    for block in _blocks(path):
        if target is None:
            return
        lines = block.count(b"\n")
        if target >= place + lines and not _has_blanks(block):
            place, number = place + lines, number + lines
            continue
        for line in block.split(b"\n")[:-1]:
            number += 1
            if not line.strip(_BLANK):
                continue
            if place == target:
                yield place, number, line.rstrip(b"\r")
                target = next(wanted, None)
            place += 1


def _blocks(path: Path) -> Iterator[bytes]:
    """The file in blocks of whole lines; a missing last line end is added."""
    with open_bytes(path) as stream:
        rest = b""
        while chunk := stream.read(_BLOCK):
            head, end, tail = (rest + chunk).rpartition(b"\n")
            rest = tail
            if end:
                yield head + end
        if rest:
            yield rest + b"\n"


def _has_blanks(block: bytes) -> bool:
    return block[:1] in (b"\n", b"\r", b" ", b"\t") or any(
        mark in block for mark in (b"\n\n", b"\n\r", b"\n ", b"\n\t")
    )
