"""Addresses from files and commands, by pseudonym or plain id."""

import hashlib
import hmac
import sys
from pathlib import Path

import duckdb
import pytest

from orchestration.edges.addresses import addresses_from
from orchestration.errors import Refusal

KEY = b"key"


def pseudonym(text: str) -> str:
    return hmac.new(KEY, text.encode(), hashlib.sha256).hexdigest()


def test_a_file_is_keyed_by_plain_ids_or_pseudonyms(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(f"user_id,address\n007,bond@example.test\n{pseudonym('ana')},ana@example.test\nzoe, \n")
    resolve = addresses_from(str(path), KEY)
    assert resolve({"007", "zoe"}) == {"007": "bond@example.test"}
    assert resolve({pseudonym("007"), pseudonym("ana")}) == {
        pseudonym("007"): "bond@example.test",
        pseudonym("ana"): "ana@example.test",
    }
    parquet = tmp_path / "people.parquet"
    duckdb.connect().sql(f"copy (select 7 as user_id, 'seven@example.test' as address) to '{parquet}'")
    assert addresses_from(str(parquet))({"7"}) == {"7": "seven@example.test"}


def test_a_command_is_asked_for_those_that_are_wanted(tmp_path: Path) -> None:
    script = tmp_path / "lookup.py"
    script.write_text(
        "import json, sys\nfor line in sys.stdin:\n"
        "    print(json.dumps({'user_id': line.strip(), 'address': line.strip() + '@example.test'}))\n"
    )
    assert addresses_from(f"command: {sys.executable} {script}")({"u1"}) == {"u1": "u1@example.test"}
    script.write_text("print('ana@example.test')")
    with pytest.raises(Refusal, match="no address") as refused:
        addresses_from(f"command: {sys.executable} {script}")({"u1"})
    assert "ana" not in str(refused.value)


def test_what_is_wrong_is_named_before_anybody_is_written_to(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("user_id,address\nu1,a@example.test\nu1,b@example.test\n")
    with pytest.raises(Refusal, match="has two addresses"):
        addresses_from(str(path))({"u1"})
    path.write_text("id,mail\nu1,a@example.test\n")
    with pytest.raises(Refusal, match="user_id and address"):
        addresses_from(str(path))({"u1"})
    with pytest.raises(Refusal, match="is no file"):
        addresses_from(str(tmp_path / "none.csv"))
