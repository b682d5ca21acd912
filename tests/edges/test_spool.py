"""The spool's files: torn anywhere they lose only what was never promised, damaged they say so, nobody reads them keyless."""

import datetime as dt
from pathlib import Path

import pytest

from orchestration.edges.spool import Damage, Frame, Record, SpoolFile, Tail, is_being_written, read_spool, spool_key
from orchestration.errors import Refusal

KEY = b"k" * 32
AT = dt.datetime.fromisoformat("2026-11-01T10:00")
RECORDS = [
    Record("postmark", "postmark", AT, {"content-type": "x"}, f"ana@example.test {n}".encode()) for n in range(6)
]


def written(folder: Path) -> tuple[Path, list[int]]:
    """Three frames of one, two and three records, and where each ends."""
    file, ends = SpoolFile(folder, KEY, AT), []
    for first, last in ((0, 1), (1, 3), (3, 6)):
        file.append([record.packed() for record in RECORDS[first:last]])
        ends.append(file.size)
    file.close()
    return file.path, ends


def records(path: Path, offset: int = 0) -> list[Record]:
    return [record for frame in read_spool(path, KEY, offset) if isinstance(frame, Frame) for record in frame.records]


def test_what_was_written_is_read_and_numbered(tmp_path: Path) -> None:
    path, ends = written(tmp_path)
    frames = list(read_spool(path, KEY))
    assert records(path) == RECORDS
    assert [(frame.first, frame.until) for frame in frames if isinstance(frame, Frame)] == list(
        zip((0, 1, 3), ends, strict=True)
    )
    assert records(path, ends[0]) == RECORDS[1:]


def test_a_file_torn_anywhere_keeps_every_whole_frame(tmp_path: Path) -> None:
    path, ends = written(tmp_path)
    content = path.read_bytes()
    for size in range(len(content)):
        path.write_bytes(content[:size])
        found = list(read_spool(path, KEY))
        whole = sum(end <= size for end in ends)
        assert [type(stretch) for stretch in found[:whole]] == [Frame] * whole
        assert len(records(path)) == (0, 1, 3)[whole]
        assert all(isinstance(stretch, Tail) for stretch in found[whole:])


def test_a_damaged_byte_loses_its_frame_and_says_so(tmp_path: Path) -> None:
    path, ends = written(tmp_path)
    content = path.read_bytes()
    for place in range(ends[0], ends[1], 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x40]) + content[place + 1 :])
        first, damaged, last = read_spool(path, KEY)
        assert (type(first), type(last)) == (Frame, Frame)
        assert damaged == Damage(ends[0], ends[1])
        assert records(path) == RECORDS[:1] + RECORDS[3:]
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert list(read_spool(path, KEY))[-1] == Damage(ends[1], ends[2]), "complete, so no kill cut it"


def test_nothing_can_be_read_without_the_key(tmp_path: Path) -> None:
    path, _ = written(tmp_path)
    assert b"ana@example" not in path.read_bytes()
    assert b"postmark" not in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(Refusal, match="was written with another key"):
        list(read_spool(path, b"other"))


def test_equal_frames_differ_on_disk(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path, KEY, AT)
    starts = [file.size]
    for _ in range(2):
        file.append([RECORDS[0].packed()])
        starts.append(file.size)
    content = file.path.read_bytes()
    assert content[starts[0] + 24 : starts[1]] != content[starts[1] + 24 : starts[2]]


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.spool").write_bytes(b"something else" * 10)
    with pytest.raises(Refusal, match="is no spool file"):
        list(read_spool(tmp_path / "x.spool", KEY))


def test_a_file_is_held_until_it_is_closed(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path, KEY, AT)
    assert is_being_written(file.path)
    file.close()
    assert not is_being_written(file.path)


def test_the_key_is_made_once_and_kept_to_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOOP_SPOOL_KEY", raising=False)
    assert spool_key(tmp_path) == spool_key(tmp_path)
    assert (tmp_path / "spool.key").stat().st_mode & 0o077 == 0
    monkeypatch.setenv("LOOP_SPOOL_KEY", "")
    with pytest.raises(Refusal, match="is an empty key"):
        spool_key(tmp_path)
