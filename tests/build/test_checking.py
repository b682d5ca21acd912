"""What a build of the evidence chain leaves untested, and what it never leaves out."""

import json

from orchestration.build.checking import guards_evidence, left_out
from orchestration.edges.dbt import MANIFEST, PROJECT

TESTS = [
    node
    for node in json.loads(MANIFEST.read_text(encoding="utf-8"))["nodes"].values()
    if node["resource_type"] == "test"
]


def test_every_folder_that_is_left_out_exists() -> None:
    folders = [part.partition("path:")[2] for part in left_out("evidence") if "path:" in part]
    assert folders
    assert [folder for folder in folders if not (PROJECT / folder).is_dir()] == []


def test_a_full_check_leaves_unit_tests_out_and_nothing_else() -> None:
    assert left_out("all") == ("resource_type:unit_test",)


def test_keys_and_identities_of_learnings_and_experiments_are_always_tested() -> None:
    kept = [test for test in TESTS if guards_evidence(test)]
    assert 0 < len(kept) < len(TESTS)
    for folder in ("models/marts/learnings", "models/marts/experiments", "models/intermediate/learnings"):
        told = [test for test in TESTS if test["original_file_path"].startswith(folder)]
        left = [test["test_metadata"]["name"] for test in told if test not in kept]
        assert told
        assert set(left) <= {"not_null"}
    assert [test for test in TESTS if test["original_file_path"].startswith("tests/") and test not in kept] == []


def test_what_dagster_plans_is_what_dbt_runs() -> None:
    parts = [part.removeprefix("resource_type:test,") for part in left_out("evidence")[1:]]
    for test in TESTS:
        name = (test.get("test_metadata") or {}).get("name")
        is_excluded = any(
            part == f"test_name:{name}" or test["original_file_path"].startswith(part.removeprefix("path:") + "/")
            for part in parts
        )
        assert is_excluded is not guards_evidence(test)
