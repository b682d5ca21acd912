"""Why a person got what they got: dealt again from the records, and found out where the records do not agree."""

from pathlib import Path

from orchestration.deploy.explaining import sentences, why_person

from .world import MONDAY, launch, plan, program_of, warehouse_in


def test_every_send_of_everybody_is_dealt_again_to_the_same_arm(tmp_path: Path) -> None:
    warehouse, program = warehouse_in(tmp_path, people=24), program_of()
    plan(warehouse, program)
    launch(warehouse, program)
    told = {user: why_person(warehouse, user) for user in (f"u{number}" for number in range(24))}
    assert all(len(sends) == 1 and sends[0].agrees for sends in told.values())
    held = next((user, sends[0]) for user, sends in told.items() if sends[0].role == "holdout")
    sent = next((user, sends[0]) for user, sends in told.items() if sends[0].role == "explore")
    assert "nothing, because of a holdout" in sentences(held[1], "news", held[0])[0]
    words = "\n".join(sentences(sent[1], "news", sent[0]))
    assert f"Number {sent[1].number:.6f}; this arm has 0.700000 to 1.000000; chance 27.00%" in words
    assert "approved by a (b)" in words
    other = "news-202606-new-exploit" if sent[1].segment == "new" else "news-202606-loyal-exploit"
    with warehouse.connect() as connection:
        connection.execute("update ledger.assignments set creative_id = ? where user_id = ?", [other, sent[0]])
    (forged,) = why_person(warehouse, sent[0])
    assert not forged.agrees
    assert "ANOTHER arm" in "\n".join(sentences(forged, "news", sent[0]))
    assert why_person(warehouse, "nobody") == []


def test_who_was_moved_into_a_holdout_or_out_of_it_or_to_no_arm_at_all_is_found_out(tmp_path: Path) -> None:
    warehouse, program = warehouse_in(tmp_path, people=60), program_of()
    with warehouse.connect() as connection:
        connection.execute("update policy.policy set value = 0.2 where name = 'global_holdout_share'")
    warehouse.append(
        {
            "ledger.programs": [
                {"program": "news", "version": "1", "spec": program.canonical_json(), "recorded_at": MONDAY}
            ]
        }
    )
    plan(warehouse, program)
    launch(warehouse, program)
    told = {user: why_person(warehouse, user)[0] for user in (f"u{number}" for number in range(60))}
    assert all(one.agrees for one in told.values()), "both holdouts are dealt again"
    held = [user for user, one in told.items() if one.role == "holdout"]
    sent = [user for user, one in told.items() if one.role == "exploit"]
    assert len(held) > 5
    arm = {"new": "news-202606-new-exploit", "loyal": "news-202606-loyal-exploit"}
    moves = [
        (sent[0], "holdout"),
        (sent[1], "nothing of this send"),
        *((user, arm[told[user].segment]) for user in held),
    ]
    with warehouse.connect() as connection:
        for user, creative in moves:
            connection.execute("update ledger.assignments set creative_id = ? where user_id = ?", [creative, user])
    for user, _ in moves:
        (forged,) = why_person(warehouse, user)
        assert not forged.agrees
        assert "ANOTHER arm" in "\n".join(sentences(forged, "news", user))


def test_batches_explain_themselves_by_their_own_chances(tmp_path: Path) -> None:
    warehouse, program = warehouse_in(tmp_path, people=40), program_of(batches=2)
    plan(warehouse, program)
    launch(warehouse, program)
    first = warehouse.rows(
        "select user_id from ledger.assignments where batch = 1 and creative_id <> 'holdout' limit 1"
    )
    (send,) = why_person(warehouse, first[0]["user_id"])
    assert (send.agrees, send.batch) == (True, 1)
