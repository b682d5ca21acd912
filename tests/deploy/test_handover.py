"""Files for hand-over, and the command that sends instead of them."""

import csv
import datetime as dt
import json
import os
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.deploy.channels import HandoverFiles
from orchestration.edges.warehouse import Warehouse
from orchestration.programs.definition import FOLDER
from tests.bench import sender_kills
from tests.deploy.played import MovingClock, PlayedChannel, sent
from tests.fakes.mail_channels import mail_channels

EXPERIMENT = "subject_lines-202647-1"
NOW = sender_kills.NOON
ROOT = Path(__file__).parents[2]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    monkeypatch.setenv("LOOP_PUBLIC_URL", "https://u.example.test")
    monkeypatch.setenv("LOOP_ADDRESSES", str(tmp_path / "addresses.csv"))
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0)
    monkeypatch.setattr(sender_kills, "NOON", now - dt.timedelta(minutes=5))
    sender_kills.prepare(tmp_path, 40)
    with duckdb.connect(str(tmp_path / "loop.duckdb")) as connection:  # wherever it is day now, people live
        zone = f"Etc/GMT{now.hour - 12:+d}"
        connection.execute("update intermediate.int_people set timezone = ?", [zone])
    return Warehouse(tmp_path)


def test_a_csv_for_each_segment_holds_what_the_parquet_holds(house: Warehouse) -> None:
    folder = house.folder / "outbox"
    with house.connect() as connection:
        assert HandoverFiles(folder).deliver(connection, EXPERIMENT, NOW) == 40
        assert HandoverFiles(folder).deliver(connection, EXPERIMENT, NOW) == 40
    parquet = (
        duckdb.connect()
        .sql(f"select send_id, subject from '{folder}/{EXPERIMENT}.parquet' order by send_id")
        .fetchall()
    )
    with (folder / f"{EXPERIMENT}-new.csv").open(encoding="utf-8") as stream:
        rows = [(row["send_id"], row["subject"]) for row in csv.DictReader(stream)]
    assert rows == parquet
    assert not list(folder.glob("*.tmp"))


@pytest.mark.parametrize(
    ("segments", "names"),
    [
        (["new", "at_risk", "v1.2"], {"new", "at_risk", "v1.2"}),
        (["新客", "老客"], {"新客", "老客"}),
        (["a b", "a_b"], {"a_b~c8687a08", "a_b"}),
        (["New", "new"], {"New~18fdd549", "new~11507a0e"}),
        (["2-new", "new"], {"2-new~4825d07b", "new"}),
        (["é" * 90, "é" * 91], None),
    ],
)
def test_each_segment_has_a_file_of_its_own_in_every_batch(
    house: Warehouse, segments: list[str], names: set[str] | None
) -> None:
    with house.connect() as connection:
        connection.execute(
            """
            update ledger.assignments
            set batch = 1 + cast(substr(user_id, 2) as integer) % 2,
                segment = $segments[1 + (cast(substr(user_id, 2) as integer) // 2) % len($segments)]
            """,
            {"segments": segments},
        )
        assert HandoverFiles(house.folder / "outbox").deliver(connection, EXPERIMENT, NOW) == 40
    files = sorted((house.folder / "outbox").glob("*.csv"))
    assert len({unicodedata.normalize("NFKC", file.name).casefold() for file in files}) == 2 * len(segments)
    rows = [row for file in files for row in csv.DictReader(file.open(encoding="utf-8"))]
    assert len({row["send_id"] for row in rows}) == len(rows) == 40
    if names is not None:
        assert {file.stem.removeprefix(f"{EXPERIMENT}-") for file in files} == names | {f"2-{name}" for name in names}


class Died(Exception):
    """The process ended here."""


class Mortal:
    """A connection that ends before its n-th step; the renaming of a file is a step too."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, steps: int) -> None:
        self._connection, self._left = connection, steps

    def step(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Died

    def execute(self, *arguments: Any) -> duckdb.DuckDBPyConnection:
        self.step()
        return self._connection.execute(*arguments)


def test_a_run_that_ends_anywhere_hands_over_once_although_the_files_are_taken_at_once(
    house: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.replace
    with house.connect() as connection:
        connection.execute("update ledger.assignments set batch = 2 where user_id > 'u3'")
        connection.execute("update ledger.assignments set segment = 'loyal' where user_id < 'u2'")
        for steps in range(40):
            connection.execute("delete from ledger.handovers")
            folder, taken = tmp_path / f"out{steps}", tmp_path / f"taken{steps}"
            taken.mkdir()
            mortal, ended = Mortal(connection, steps), True
            monkeypatch.setattr(os, "replace", lambda *paths, at=mortal: (at.step(), rename(*paths)))
            try:
                HandoverFiles(folder).deliver(mortal, EXPERIMENT, NOW)  # type: ignore[arg-type]
            except Died:
                ended = False
            monkeypatch.setattr(os, "replace", rename)
            for _ in range(3):
                for path in folder.glob("[!.]*"):
                    assert not (taken / path.name).exists(), f"{path.name} came back after step {steps}"
                    path.rename(taken / path.name)
                assert HandoverFiles(folder).deliver(connection, EXPERIMENT, NOW) == 40
            assert list(folder.iterdir()) == []
            for ending, read in (("parquet", "read_parquet"), ("csv", "read_csv")):
                query = f"select count(*), count(distinct send_id) from {read}('{taken}/*.{ending}')"
                assert duckdb.connect().sql(query).fetchall() == [(40, 40)], f"{ending} after step {steps}"
            if ended:
                return
    pytest.fail("it never came to an end")


def test_files_that_were_taken_away_are_not_sent_as_well(house: Warehouse) -> None:
    with house.connect() as connection:
        HandoverFiles(house.folder / "outbox").deliver(connection, EXPERIMENT, NOW)
    for path in (house.folder / "outbox").iterdir():
        path.unlink()
    done = sent(house, PlayedChannel(), MovingClock(sender_kills.NOON))
    assert (done.queued, done.tally.tried) == (0, 0)
    assert done.handed_over > 0


def test_files_of_before_there_were_records_count_while_they_lie_there_and_after(house: Warehouse) -> None:
    folder = house.folder / "outbox"
    folder.mkdir()
    (folder / f"{EXPERIMENT}.parquet").touch()
    with house.connect() as connection:
        HandoverFiles(folder).deliver(connection, EXPERIMENT, NOW)
        (folder / f"{EXPERIMENT}.parquet").unlink()
        HandoverFiles(folder).deliver(connection, EXPERIMENT, NOW)
    assert list(folder.iterdir()) == []


def test_what_a_sender_was_given_is_not_handed_over_when_there_is_none_any_more(house: Warehouse) -> None:
    channel = PlayedChannel()
    assert sent(house, channel, MovingClock(sender_kills.NOON)).tally.accepted > 0
    with house.connect() as connection:
        HandoverFiles(house.folder / "outbox").deliver(connection, EXPERIMENT, NOW)
    handed = duckdb.connect().sql(f"select send_id from '{house.folder}/outbox/*.parquet'").fetchall()
    assert not {send_id for (send_id,) in handed} & set(channel.ids())


def test_what_a_sender_sends_is_not_handed_over(house: Warehouse) -> None:
    folder = house.folder / "outbox"
    with house.connect() as connection:
        HandoverFiles(folder, ["email"]).deliver(connection, EXPERIMENT, NOW)
    assert list(folder.iterdir()) == []


def test_the_command_rehearses_and_then_sends_over_tls(house: Warehouse) -> None:
    programs = house.folder / "programs"
    programs.mkdir()
    text = (FOLDER / "subject_lines.yaml").read_text(encoding="utf-8")
    (programs / "subject_lines.yaml").write_text(text.replace("dry_run: true", "dry_run: false"), encoding="utf-8")
    with mail_channels(house.folder / "channels") as channels:
        environment = {
            **os.environ,
            "LOOP_SENDER_EMAIL": "smtp",
            "LOOP_SMTP_URL": f"smtp://127.0.0.1:{channels.smtp_port}",
            "SSL_CERT_FILE": str(channels.certificate),
            "LOOP_MAIL_FROM": "Harbour Goods <news@example.test>",
            "LOOP_PUBLIC_URL": "https://u.example.test",
            "LOOP_ADDRESSES": str(house.folder / "addresses.csv"),
            "LOOP_WAREHOUSE": str(house.folder),
            "LOOP_PROGRAMS": str(programs),
        }

        def loop(*arguments: str) -> subprocess.CompletedProcess[str]:
            code = "from orchestration.cli import main; main()"
            command = [sys.executable, "-c", code, *arguments]
            return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

        rehearsed = loop("send", "--json")
        assert rehearsed.returncode == 0, rehearsed.stderr
        told = json.loads(rehearsed.stdout)
        assert (told["is_live"], told["accepted"], channels.taken()) == (False, told["queued"] - told["withheld"], [])
        assert "@example.test" not in rehearsed.stderr.replace("news@example.test", "")
        sent = loop("send", "--live", "--json")
        assert sent.returncode == 0, sent.stderr
        assert len(channels.taken()) == json.loads(sent.stdout)["accepted"] == told["accepted"] > 0
        assert json.loads(loop("outbox", "list", "--json").stdout)["in_doubt"] == []
        assert "smtp is configured" in loop("doctor").stdout
