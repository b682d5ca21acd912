"""Files for hand-over, and the command that sends instead of them."""

import csv
import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from orchestration.deploy.channels import HandoverFiles
from orchestration.edges.warehouse import Warehouse
from orchestration.programs.definition import FOLDER
from tests.bench import sender_kills
from tests.fakes.mail_channels import mail_channels

EXPERIMENT = "subject_lines-202647-1"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
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
        assert HandoverFiles(folder).deliver(connection, EXPERIMENT) == 40
        assert HandoverFiles(folder).deliver(connection, EXPERIMENT) == 40
    parquet = (
        duckdb.connect()
        .sql(f"select send_id, subject from '{folder}/{EXPERIMENT}.parquet' order by send_id")
        .fetchall()
    )
    with (folder / f"{EXPERIMENT}-new.csv").open(encoding="utf-8") as stream:
        rows = [(row["send_id"], row["subject"]) for row in csv.DictReader(stream)]
    assert rows == parquet
    assert not list(folder.glob("*.tmp"))


def test_what_a_sender_sends_is_not_handed_over(house: Warehouse) -> None:
    folder = house.folder / "outbox"
    with house.connect() as connection:
        HandoverFiles(folder, ["email"]).deliver(connection, EXPERIMENT)
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
