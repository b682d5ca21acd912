"""Drop folders here and behind URLs, compressed or not: every file once, whatever its state was, and nothing in clear left behind."""

import bz2
import datetime as dt
import gzip
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import fsspec
import pyarrow as pa
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from orchestration.edges.clock import FixedClock
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.measure.imports import import_file, intake_drop, intake_drops
from orchestration.measure.mapping import Mapping

NOW = dt.datetime.fromisoformat("2026-11-20T12:00")
LATER = FixedClock(dt.datetime.fromisoformat("2030-01-01"))


class Bucket(MemoryFileSystem):
    """What an object store tells of its objects, and a count of those that were fetched."""

    protocol: ClassVar[str] = "bucket"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    fetched: ClassVar[list[str]] = []
    on_fetch: ClassVar[Callable[["Bucket", str], None] | None] = None

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.removeprefix(f"{cls.protocol}://")))

    def _told(self, info: dict[str, Any]) -> dict[str, Any]:
        if info["type"] == "file":
            digest = str(hash(bytes(self.store[info["name"]].getbuffer())))
            return {
                "name": info["name"],
                "size": info["size"],
                "type": "file",
                "ETag": digest,
                "LastModified": info["created"],
            }
        return info

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Any]:
        return [self._told(one) for one in super().ls(path, detail=True, **kwargs)]

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        return self._told(super().info(path, **kwargs))

    def get_file(self, rpath: str, lpath: str, **kwargs: Any) -> None:
        self.fetched.append(rpath.rpartition("/")[2])
        super().get_file(rpath, lpath, **kwargs)
        if Bucket.on_fetch is not None:
            Bucket.on_fetch(self, rpath)


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    fsspec.register_implementation("bucket", Bucket, clobber=True)
    made = Bucket(skip_instance_cache=True)
    made.store.clear()
    made.fetched.clear()
    yield made
    Bucket.on_fetch = None


def told(*numbers: int) -> bytes:
    event = {"source": "shop", "event_name": "Signed Up", "received_at": "2026-11-01"}
    rows = [event | {"event_id": f"e{n}", "user_id": f"ann{n}@example.org"} for n in numbers]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def packed(name: str, content: bytes) -> bytes:
    if name.endswith(".zst"):
        return pa.compress(content, codec="zstd", asbytes=True)  # type: ignore[no-any-return]
    return {"gz": gzip.compress, "bz2": bz2.compress}.get(name.rpartition(".")[2], bytes)(content)


def ids(warehouse: Warehouse) -> list[str]:
    return [row["event_id"] for row in warehouse.rows("select event_id from raw.events order by 1")]


def as_csv(numbers: list[int], *, parquet: Path | None = None) -> bytes:
    rows = f"""select 'e' || n as event_id, 'shop' as source, 'Signed Up' as event_name, 'u' as user_id,
        '2026-11-01' as received_at from (select unnest({numbers}) as n)"""
    if parquet is not None:
        duckdb.execute(f"copy ({rows}) to '{parquet}' (format parquet)")
        return parquet.read_bytes()
    cells = duckdb.execute(rows).fetchall()
    return "\n".join(["event_id,source,event_name,user_id,received_at", *(",".join(row) for row in cells), ""]).encode()


@pytest.mark.parametrize("where", ["local", "bucket"])
@pytest.mark.parametrize("name", ["x.ndjson", "x.ndjson.gz", "x.jsonl.zst", "x.ndjson.bz2", "x.csv", "x.csv.gz", "x.csv.zst",
                                  "x.csv.bz2", "x.parquet"])  # fmt: skip
def test_every_format_and_compression_is_read_once(
    name: str, where: str, bucket: Bucket, warehouse: Warehouse, tmp_path: Path
) -> None:
    plain = as_csv([1, 2], parquet=tmp_path / "p" if "parquet" in name else None) if "json" not in name else told(1, 2)
    place: Path | str = tmp_path / "drop"
    if where == "local":
        (tmp_path / "drop").mkdir()
        (tmp_path / "drop" / name).write_bytes(packed(name, plain))
    else:
        place = "bucket://data/events"
        bucket.pipe_file(f"/data/events/{name}", packed(name, plain))
    reports = [intake_drop(warehouse, place, LATER) for _ in range(2)]
    assert ids(warehouse) == ["e1", "e2"]
    assert [(r.rows_read, r.rows_accepted, r.already_imported) for (r,) in reports] == [(2, 2, False), (2, 2, True)]
    assert bucket.fetched == ([name] if where == "bucket" else [])
    assert list((warehouse.folder / "unpacked").glob("*")) == []


def test_any_address_of_a_folder_will_do(warehouse: Warehouse, tmp_path: Path) -> None:
    (tmp_path / "x.ndjson").write_bytes(told(1))
    fsspec.filesystem("memory").pipe_file("/drop/y.ndjson", told(2))
    intake_drops(warehouse, [tmp_path.as_uri(), "memory://drop"], LATER)
    assert ids(warehouse) == ["e1", "e2"]
    fsspec.filesystem("memory").rm("/drop", recursive=True)


def test_a_new_state_is_read_again_and_brings_what_is_new(bucket: Bucket, warehouse: Warehouse) -> None:
    for content in (told(1), told(1, 2), told(1, 2)):
        bucket.pipe_file("/data/x.ndjson", content)
        intake_drop(warehouse, "bucket://data", LATER)
    assert ids(warehouse) == ["e1", "e2"]
    # The third state is other only in its time: it is fetched, and known by its content.
    assert len(warehouse.rows("select * from raw.imports")) == 2
    bucket.pipe_file("/data/.drop.yaml", b"ids: opaque\n")
    count = len(bucket.fetched)
    intake_drop(warehouse, "bucket://data", LATER)
    assert len(bucket.fetched) == count + 1, "how a file is read is part of its state"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (b"ids: [\n", "bucket:///data/.drop.yaml -> is not valid YAML at line 2. Mend the file."),
        (b"ids: secret\n", "bucket:///data/.drop.yaml -> says what is not understood. Write `ids: opaque` or"),
    ],
)
def test_options_that_are_not_understood_are_refused(
    options: bytes, message: str, bucket: Bucket, warehouse: Warehouse
) -> None:
    bucket.pipe({"/data/x.ndjson": told(1), "/data/.drop.yaml": options})
    with pytest.raises(Refusal) as refusal:
        intake_drop(warehouse, "bucket://data", LATER)
    assert str(refusal.value).startswith(message)
    assert bucket.fetched == []


def test_a_file_that_changes_while_it_is_fetched_waits(bucket: Bucket, warehouse: Warehouse) -> None:
    bucket.pipe_file("/data/x.ndjson", told(1))
    Bucket.on_fetch = lambda files, path: files.pipe_file(path, told(1, 2))
    assert intake_drop(warehouse, "bucket://data", LATER) == []
    Bucket.on_fetch = lambda files, path: files.rm_file(path)
    assert intake_drop(warehouse, "bucket://data", LATER) == []
    Bucket.on_fetch = None
    bucket.pipe_file("/data/x.ndjson", told(1, 2))
    assert intake_drop(warehouse, "bucket://data", LATER)[0].rows_accepted == 2


def test_a_line_in_the_making_waits_and_a_rested_one_does_not(bucket: Bucket, warehouse: Warehouse) -> None:
    bucket.pipe_file("/data/x.ndjson", told(1, 2)[:-20])
    at = bucket.info("/data/x.ndjson")["LastModified"].replace(tzinfo=None)
    assert intake_drop(warehouse, "bucket://data", FixedClock(at)) == []
    (report,) = intake_drop(warehouse, "bucket://data", FixedClock(at + dt.timedelta(minutes=5)))
    assert (report.rows_accepted, report.rows_quarantined) == (1, 1)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("b.ndjson.zst", pa.compress(told(9) * 500, codec="zstd", asbytes=True)[:-9]),
        ("b.ndjson.bz2", bz2.compress(told(9) * 500)[:-9]),
        ("b.ndjson.bz2", b"no bzip2"),
        ("b.csv.zst", b"no zstd at all"),
    ],
)
def test_a_damaged_file_is_refused_and_holds_no_other_up(
    name: str, content: bytes, bucket: Bucket, warehouse: Warehouse
) -> None:
    bucket.pipe({"/data/a.ndjson": told(1), f"/data/{name}": content, "/data/c.ndjson": told(3)})
    for _ in range(2):  # it is not known as read
        with pytest.raises(Refusal, match=rf"{name} -> cannot be read") as refusal:
            intake_drop(warehouse, "bucket://data", LATER)
        assert "\n" not in str(refusal.value)
    assert ids(warehouse) == ["e1", "e3"]
    assert sorted(bucket.fetched) == sorted(["a.ndjson", name, "c.ndjson", name])
    assert list((warehouse.folder / "unpacked").glob("*")) == []


def test_folders_that_cannot_be_reached_hold_no_other_up(
    bucket: Bucket, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.pipe_file("/data/a.ndjson", told(1))
    monkeypatch.setitem(sys.modules, "s3fs", None)
    places = ["s3://nowhere/x", "bucket://missing", "nothing://x", warehouse.folder / "inbox", "bucket://data"]
    with pytest.raises(
        Refusal, match=r"^s3:// -> cannot be read here \(.*s3fs.*\)\. Install .* 2 more files are refused"
    ):
        intake_drops(warehouse, places, LATER)
    assert ids(warehouse) == ["e1"]
    with pytest.raises(Refusal, match=r"^bucket:///?missing -> does not exist\. Check the address"):
        intake_drop(warehouse, "bucket://missing", LATER)


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("nothing://x", r"nothing:// -> cannot be read here \(.+\)\. .+, or mend LOOP_DROP\."),
        (
            "github://x",
            r"github://x -> cannot be read \(.+\)\. Check the address in LOOP_DROP, the keys and the network\.",
        ),
        (
            "ftp://me:secret@127.0.0.1:1/x",
            r"ftp://127\.0\.0\.1:1/x -> cannot be read \(.*refused\)\. Check the address in .+",
        ),
        ("gone", r".+/gone -> is no folder, but LOOP_DROP names it\. Make it, or mend LOOP_DROP\."),
        ("file.ndjson", r".+/file\.ndjson -> is no folder, but LOOP_DROP names it\. Make it, or mend LOOP_DROP\."),
    ],
)
def test_a_place_that_is_none_is_named_with_the_variable(
    place: str, told: str, warehouse: Warehouse, tmp_path: Path
) -> None:
    (tmp_path / "file.ndjson").touch()
    with pytest.raises(Refusal) as refusal:
        intake_drop(warehouse, place if "://" in place else tmp_path / place, LATER)
    assert re.fullmatch(told, str(refusal.value))


def test_a_store_that_fails_in_a_way_of_its_own_is_refused(bucket: Bucket, warehouse: Warehouse) -> None:
    class Failing(Bucket):
        protocol: ClassVar[str] = "failing"

        def ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Any]:
            raise LookupError("Unable to locate credentials")

    fsspec.register_implementation("failing", Failing, clobber=True)
    with pytest.raises(Refusal, match=r"failing:///?data -> cannot be read \(Unable to locate credentials\)\. Check"):
        intake_drop(warehouse, "failing://data", LATER)


def test_what_cannot_be_opened_is_set_aside_and_the_others_are_taken(warehouse: Warehouse, tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "a.ndjson").write_bytes(told(1))
    (drop / "b.parquet").write_bytes(b"neither here nor there")
    (drop / "c.csv").mkdir()
    (drop / "d.csv").symlink_to("d.csv")
    # A file that opens and cannot be read, for root either; elsewhere than on Linux a second loop.
    (drop / "e.csv").symlink_to("/proc/self/mem" if Path("/proc/self/mem").exists() else "e.csv")
    (drop / "f.ndjson").write_bytes(told(2))
    aside: list[Refusal] = []
    intake_drops(warehouse, [drop], LATER, set_aside=aside.append)
    assert ids(warehouse) == ["e1", "e2"]
    assert [refusal.subject for refusal in aside] == ["b.parquet", "c.csv", "d.csv", "e.csv"]
    assert aside[1].reason == "is a folder, no file"
    with pytest.raises(Refusal, match=r"b\.parquet -> cannot be read .* 3 more files are refused"):
        intake_drops(warehouse, [drop], LATER)


def test_a_store_whose_listing_tells_no_state_is_read_each_time_and_stored_once(warehouse: Warehouse) -> None:
    class Plain(Bucket):
        protocol: ClassVar[str] = "plain"
        store: ClassVar[dict[str, Any]] = {}
        pseudo_dirs: ClassVar[list[str]] = [""]
        fetched: ClassVar[list[str]] = []

        def _told(self, info: dict[str, Any]) -> dict[str, Any]:
            return {name: value for name, value in info.items() if name != "created"}

    fsspec.register_implementation("plain", Plain, clobber=True)
    Plain().pipe_file("/data/a.ndjson", told(1))
    reports = [intake_drop(warehouse, "plain://data", LATER)[0] for _ in range(2)]
    assert [report.already_imported for report in reports] == [False, True]
    assert (ids(warehouse), len(Plain.fetched)) == (["e1"], 2)


def test_what_a_kill_left_in_clear_goes_with_the_next_file(warehouse: Warehouse, tmp_path: Path) -> None:
    left = warehouse.folder / "unpacked" / "left"
    left.mkdir(parents=True)
    (left / "people.csv").write_bytes(told(1))
    (tmp_path / "x.ndjson.bz2").write_bytes(bz2.compress(told(1)))
    import_file(warehouse, tmp_path / "x.ndjson.bz2", Mapping.named("events"), LATER)
    assert list((warehouse.folder / "unpacked").iterdir()) == []


def test_a_compressed_file_and_its_content_are_the_same_import(warehouse: Warehouse, tmp_path: Path) -> None:
    events = Mapping.named("events")
    for name in ("x.ndjson.zst", "x.ndjson", "x.ndjson.bz2"):
        (tmp_path / name).write_bytes(packed(name, told(1, 2)))
    reports = [
        import_file(warehouse, tmp_path / name, events, LATER) for name in ("x.ndjson.zst", "x.ndjson", "x.ndjson.bz2")
    ]
    assert [report.already_imported for report in reports] == [False, True, True]
