"""The README's worked example, command by command as it is printed, against a mail server and a model server on loopback."""

import datetime as dt
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.edges.warehouse import Warehouse
from tests.fakes.mail_channels import Channels, mail_channels
from tests.fakes.model_server import model_server
from tests.fakes.obedient_model import ObedientModel

ROOT = Path(__file__).parents[2]
TAGS = ("question", "second_person", "curiosity", "social_proof")


def section() -> str:
    whole = (ROOT / "README.md").read_text(encoding="utf-8")
    return whole.partition("## A worked example")[2].partition("\n## ")[0]


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", section(), re.MULTILINE | re.DOTALL)


def walked(home: Path, model_url: str, channels: Channels) -> str:
    """Everything the commands print, run by a shell as somebody would who has nothing but the README."""
    folder = home / "letters"
    (folder / "programs").mkdir(parents=True)
    for text in blocks("yaml"):
        name = text.splitlines()[0].removeprefix("# ")
        (folder / name).write_text(text.replace("https://models.example.com/v1", model_url), encoding="utf-8")
    tool = home / "bin" / "loop"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m orchestration "$@"\n')
    tool.chmod(0o755)
    commands = "".join(blocks("sh")).replace("mail.example.com:587", f"127.0.0.1:{channels.smtp_port}")
    now = dt.datetime.now(dt.UTC)
    # The week is named, lest it end between two commands; and on a Monday before ten the last one is: this week's send is not due.
    week = now.date() - dt.timedelta(days=7 if (now.weekday(), now.hour < 10) == (0, True) else 0)
    assert commands.count("loop run ") == 2
    commands = commands.replace("loop run ", f"loop run --cycle {week} ")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LOOP_", "OPENAI_"))}
    zone = {"LOOP_TIMEZONE": f"Etc/GMT{now.hour - 12:+d}"}  # where it is noon: nobody is written to at night
    places = {"HOME": str(home), "PATH": f"{tool.parent}:{kept['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        env={**kept, **places, **zone, "SSL_CERT_FILE": str(channels.certificate), "COLUMNS": "200"},
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_the_worked_example_goes_as_it_is_printed(tmp_path: Path) -> None:
    with mail_channels(tmp_path / "channels") as channels, model_server([ObedientModel(TAGS)]) as server:
        told = walked(tmp_path / "home", server.base_url, channels)
        mails = channels.taken()
    (answers,) = blocks("text")
    assert [line for line in answers.splitlines() if line not in told.splitlines()] == [], told
    assert "# What winter_letters has learned" in told
    assert len(mails) == len(set(mails)) == 37
    written = Warehouse(tmp_path / "home" / "letters" / "warehouse").rows(
        "select generator, is_fallback, count(*) as texts from ledger.creatives group by all order by all"
    )
    assert written == [
        {"generator": "openai", "is_fallback": False, "texts": 12},
        {"generator": "program", "is_fallback": False, "texts": 2},
    ]
    creatives = [line for line in told.splitlines() if re.match(r"  winter_letters-\d+-1-", line)]
    assert len(creatives) == 12
    mail = next((tmp_path / "channels").glob("*.eml")).read_text()
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in mail
