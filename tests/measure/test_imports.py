"""One file into raw: formats, refusals, once only, all or nothing; and the real files where they are."""

import datetime as dt
import gzip
import os
from pathlib import Path

import duckdb
import pytest

from orchestration.edges.clock import FixedClock
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.measure.imports import import_file
from orchestration.measure.mapping import Mapping, names

NOW = FixedClock(dt.datetime.fromisoformat("2026-11-20"))
RESULTS = Mapping.named("results")
HEADER = "program,cycle,experiment_id,creative_id,metric,n,sum_y"
DATA = Path(os.environ.get("LOOP_DATA", Path(__file__).parents[3] / "shared" / "data"))


def csv_file(path: Path, *rows: str) -> Path:
    path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz", "x.parquet", "x.ndjson", "x.jsonl.gz", "x.json", "x [1]*?.csv"])
def test_every_format_gives_the_same_rows(name: str, warehouse: Warehouse, tmp_path: Path) -> None:
    source = csv_file(tmp_path / "source.csv", 'p,1,e,"a, ""b""",m,10,2', "p,1,e,é,m,20,3")
    rows = f"read_csv('{source}')"
    path = tmp_path / name
    if name.endswith(".parquet"):
        duckdb.connect().execute(f"copy (from {rows}) to '{path}'")
    elif ".json" in name or "nd" in name:
        text = duckdb.connect().execute(f"select string_agg(to_json(r), chr(10)) from {rows} r").fetchall()[0][0]
        text = f"[{text.replace(chr(10), ',')}]" if name == "x.json" else text
        path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    else:
        path.write_bytes(gzip.compress(source.read_bytes()) if name.endswith("gz") else source.read_bytes())
    report = import_file(warehouse, path, RESULTS, NOW)
    found = warehouse.rows("select creative_id, cycle, n, sum_y, segment from raw.results order by n")
    assert [tuple(row.values()) for row in found] == [('a, "b"', 1, 10, 2, "all"), ("é", 1, 20, 3, "all")]
    assert (report.rows_read, report.reasons) == (2, {})


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_semicolons_a_mark_and_windows_lines(end: str, warehouse: Warehouse, tmp_path: Path) -> None:
    text = end.join([HEADER.replace(",", ";"), 'p;1;e;"a;b";m;10;2', ""])
    (tmp_path / "x.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    import_file(warehouse, tmp_path / "x.csv", RESULTS, NOW)
    assert warehouse.rows("select program, creative_id from raw.results") == [{"program": "p", "creative_id": "a;b"}]


def test_rows_that_cannot_be_read_are_set_aside_and_counted(warehouse: Warehouse, tmp_path: Path) -> None:
    path = csv_file(tmp_path / "x.csv", "p,1,e,a,m,10,2", "p,1,e", "p,1,e,b,m,0,2", "p,1,e,c,m,1,1,9", "p,1,e,d,m,0,1")
    report = import_file(warehouse, path, RESULTS, NOW)
    found = warehouse.rows("select row_number, reason from raw.quarantine order by row_number")
    assert [tuple(row.values()) for row in found] == [
        (2, "the row cannot be read: missing columns"),
        (3, "n is 0, but sum_y or sum_y2 is not"),
        (4, "the row cannot be read: too many columns"),
        (5, "n is 0, but sum_y or sum_y2 is not"),
    ]
    assert (report.rows_read, report.rows_accepted, report.rows_quarantined) == (5, 1, 4)


def test_lines_that_are_no_json_are_set_aside(warehouse: Warehouse, tmp_path: Path) -> None:
    good = '{"program":"p","cycle":1,"experiment_id":"e","creative_id":"a","metric":"m","n":10,"sum_y":2}'
    (tmp_path / "x.ndjson").write_text(f'{{"program": \n\n[1]\n{good}\n', encoding="utf-8")
    report = import_file(warehouse, tmp_path / "x.ndjson", RESULTS, NOW)
    assert (report.rows_accepted, report.reasons) == (1, {"the row is not a JSON object": 2})


def test_the_same_file_is_taken_once_under_each_mapping(warehouse: Warehouse, tmp_path: Path) -> None:
    path = csv_file(tmp_path / "x.csv", "p,1,e,a,m,10,2", "p,1,e,b,m,0,2")
    first = import_file(warehouse, path, RESULTS, NOW)
    again = import_file(warehouse, path.rename(tmp_path / "y.csv"), RESULTS, NOW)
    other = import_file(warehouse, tmp_path / "y.csv", Mapping.from_flags({"program": "=q"}, RESULTS), NOW)
    assert [first.already_imported, again.already_imported, other.already_imported] == [False, True, False]
    assert (again.rows_read, again.rows_accepted, again.reasons) == (2, 1, {"n is 0, but sum_y or sum_y2 is not": 1})
    assert warehouse.rows("select program from raw.results order by 1") == [{"program": "p"}, {"program": "q"}]


def test_an_import_that_dies_at_its_last_step_leaves_nothing_and_can_be_repeated(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    path = csv_file(tmp_path / "x.csv", "p,1,e,a,m,10,2", "p,1,e,b,m,0,2")
    warehouse.migrate()
    with warehouse.connect() as connection:
        connection.execute("alter table raw.imports add column surprise varchar")
    with pytest.raises(duckdb.Error):
        import_file(warehouse, path, RESULTS, NOW)
    assert warehouse.rows("select 1 from raw.results union all select 1 from raw.quarantine") == []
    with warehouse.connect() as connection:
        connection.execute("alter table raw.imports drop column surprise")
    report = import_file(warehouse, path, RESULTS, NOW)
    assert (report.rows_accepted, report.already_imported) == (1, False)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.csv", b"", "x.csv -> is empty. Give a file with rows."),
        ("x.csv", HEADER.encode() + b"\n", "x.csv -> holds no rows. Give a file with rows."),
        ("x.csv", b"a,A\n1,2\n", "x.csv -> has two columns named 'a'. Give every column its own name."),
        ("x.xlsx", b"PK", "x.xlsx -> is of no known format. Give .csv, .parquet, .ndjson, .jsonl or .json, also with .gz"),
        ("x.parquet", b"no parquet at all", "x.parquet -> cannot be read ("),
        ("x.csv.gz", b"no gzip", "x.csv.gz -> cannot be read ("),
        ("x.csv", b"\xff\xfe\x00", "x.csv -> cannot be read ("),
        ("x.json", b"[{]", "x.json -> cannot be read ("),
        ("x.json", b"[1, 2]", "x.json -> holds no JSON object with a value under a name. Write one object per line"),
        ("x.ndjson", b'{"program": "p", "sum', "x.ndjson -> holds no JSON object with a value under a name. Write one"),
        ("x.csv", HEADER.replace("sum_y", "clicks").encode() + b"\np,1,e,a,m,1,1\n", "x.csv -> is mapped without sum_y. Map sum_y to"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_taken_is_refused_in_one_line(
    name: str, content: bytes, message: str, warehouse: Warehouse, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Refusal) as refusal:
        import_file(warehouse, tmp_path / name, RESULTS, NOW)
    assert str(refusal.value).startswith(message)
    assert "\n" not in str(refusal.value)
    assert not warehouse.path.exists() or warehouse.rows("select * from raw.imports") == []


def test_a_missing_file_is_refused_before_anything_is_made(warehouse: Warehouse, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"none.csv -> cannot be read \(No such file or directory\)\. Check the path"):
        import_file(warehouse, tmp_path / "none.csv", RESULTS, NOW)
    assert not warehouse.folder.exists()


def test_an_absent_column_is_named_with_its_neighbour(warehouse: Warehouse, tmp_path: Path) -> None:
    mapping = Mapping.from_flags({"kind": "results", "sum_y": "clicks", "n": "=1"})
    (tmp_path / "x.csv").write_text("cliks,views\n1,2\n", encoding="utf-8")
    expected = r"^x.csv -> has no column 'clicks'\. Did you mean 'cliks'\? Its columns are: cliks, views\.$"
    with pytest.raises(Refusal, match=expected):
        import_file(warehouse, tmp_path / "x.csv", mapping, NOW)


def test_joined_columns_need_the_first_only(warehouse: Warehouse, tmp_path: Path) -> None:
    path = csv_file(tmp_path / "x.csv", "p,1,e,a,m,10,2", "p,1,e,,m,10,2", "p,1,,b,m,10,2")
    mapping = Mapping.from_flags({"experiment_id": "experiment_id,creative_id", "creative_id": "=c"}, RESULTS)
    report = import_file(warehouse, path, mapping, NOW)
    found = warehouse.rows("select experiment_id from raw.results order by 1")
    assert [row["experiment_id"] for row in found] == ["e", "e/a"]
    assert report.reasons == {"experiment_id is missing": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "mapping -> does not say its kind. "),
        (
            {"kind": "sums"},
            "mapping -> is of no known kind (sums). Give `kind`, one of results, units, events, rates, channel_daily.",
        ),
        ({"kind": "results", "metrc": "x"}, "mapping -> metrc: there is no such field; did you mean metric?"),
        ({"kind": "results", "repeats": "ignore"}, "mapping -> repeats: 'ignore' is none of "),
        (
            {"kind": "results", "n": {"column": 3}},
            "mapping -> n: is of no kind that it may be. Mend the mapping: a column is a name",
        ),
        ({"kind": "units"}, "mapping -> program: "),
        ([1], "mapping -> does not say its kind. "),
    ],
)
def test_a_mapping_that_says_nonsense_is_refused(content: object, message: str) -> None:
    with pytest.raises(Refusal) as refusal:
        Mapping.of(content)
    assert str(refusal.value).startswith(message)


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(
        Refusal, match=r"mapping upworthy -> does not ship with the package\. Choose one of .*upworthy_tests"
    ):
        Mapping.named("upworthy")
    assert {Mapping.named(name).kind for name in names()} == {"results", "units", "events", "rates", "channel_daily"}


def real(name: str) -> Path:
    path = DATA / f"{name}.parquet"
    if not path.exists():
        pytest.skip(f"{path.name} is not here; set LOOP_DATA to its folder")
    return path


def test_upworthy(warehouse: Warehouse) -> None:
    report = import_file(warehouse, real("upworthy_tests"), Mapping.named("upworthy_tests"), NOW)
    assert (report.rows_read, report.rows_quarantined) == (14_838, 0)
    found = warehouse.rows(
        """select sum(n) as n, sum(sum_y) as y, count(distinct split_part(experiment_id, '/', 1)) as tests,
        count(distinct (experiment_id, creative_id)) = count(*) as is_key from raw.results"""
    )[0]
    direct = (
        duckdb.connect().execute(f"select sum(impressions), sum(clicks) from '{real('upworthy_tests')}'").fetchall()[0]
    )
    assert (found["n"], found["y"], found["tests"], found["is_key"]) == (*direct, 3_307, True)
    packages = warehouse.rows(
        "select sum(planned_share) as packages, count(planned_share) = count(*) as are_told from raw.results"
    )
    assert packages == [{"packages": 14_838, "are_told": True}]


@pytest.mark.parametrize(
    ("name", "rows", "rates"),
    [
        ("hillstrom_email", 64_000, {("Womens E-Mail", "visit"): 15.1, ("Mens E-Mail", "visit"): 18.3, ("No E-Mail", "visit"): 10.6,
                                     ("Womens E-Mail", "conversion"): 0.88, ("Mens E-Mail", "conversion"): 1.25,
                                     ("No E-Mail", "conversion"): 0.57}),
        ("cookie_cats", 90_189, {("gate_30", "retention_7"): 19.0, ("gate_40", "retention_7"): 18.2,
                                 ("gate_30", "retention_1"): 44.8, ("gate_40", "retention_1"): 44.2}),
    ],
)  # fmt: skip
def test_randomised_people(name: str, rows: int, rates: dict[tuple[str, str], float], warehouse: Warehouse) -> None:
    report = import_file(warehouse, real(name), Mapping.named(name), NOW)
    assert (report.rows_read, report.rows_quarantined) == (rows, 0)
    found = warehouse.rows("select creative_id, metric, 100 * sum_y / n as rate from raw.results")
    by_arm = {(row["creative_id"], row["metric"]): row["rate"] for row in found}
    assert {arm: by_arm[arm] for arm in rates} == {
        arm: pytest.approx(rate, abs=0.06 if rate > 2 else 0.006) for arm, rate in rates.items()
    }


def test_the_mobile_game(warehouse: Warehouse) -> None:
    name = "mobile_game_launch_events"
    report = import_file(warehouse, real(name), Mapping.named(name), NOW)
    assert (report.rows_read, report.rows_quarantined) == (29_324, 0)
    events = warehouse.rows("select event_name, min(length(user_id)) as digits from raw.events group by all order by 1")
    assert events == [{"event_name": "Feature Used", "digits": 64}, {"event_name": "Signed Up", "digits": 64}]
