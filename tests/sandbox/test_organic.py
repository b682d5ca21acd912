import datetime as dt
import json

import pytest

from tests.sandbox.conftest import MONDAY, Begin, Play, happened_at

GROWING = {"growth": {"per_week": 600, "invites_per_week": 0.3, "invite_accepted": 0.5}}


@pytest.fixture
def grown(begin: Begin) -> Play:
    play = begin(changes=GROWING)
    play.world.advance(MONDAY + dt.timedelta(weeks=5))
    return play


def test_people_sign_up_and_some_were_invited_by_somebody_who_did(grown: Play) -> None:
    signed, sent = grown.happened("Signed Up"), grown.happened("Invite Sent")
    by = signed.properties.map(lambda text: json.loads(text).get("invited_by")).dropna()
    assert 0.1 < len(by) / len(signed) < 0.9
    first_invite = happened_at(sent).groupby(sent.user_id).min()
    assert (happened_at(signed.loc[by.index]) > by.map(first_invite)).all()
    assert not signed.user_id.duplicated().any()
    early = signed[signed.received_at < grown.world.now - dt.timedelta(days=5)]
    assert set(early.user_id) <= set(grown.told().user_id)


def test_visits_and_orders_fall_off_with_age(grown: Play) -> None:
    signed = grown.happened("Signed Up")
    since = happened_at(signed).set_axis(signed.user_id)
    cohort = since[since < since.min() + dt.timedelta(weeks=2)]
    for event, weeks in (("Product Viewed", 4), ("Order Completed", 2)):
        events = grown.happened(event)
        week = (happened_at(events) - events.user_id.map(cohort)) // dt.timedelta(weeks=1)
        active = [events[week == number].user_id.nunique() / len(cohort) for number in range(weeks)]
        assert active == sorted(active, reverse=True)
        assert active[0] > 1.5 * active[-1] > 0


def test_life_moves_forward_only(grown: Play) -> None:
    told = grown.told()
    order = ["new", "regular", "lapsing"]
    stage = told.properties.map(lambda text: order.index(json.loads(text)["segment"]))
    moves = stage.groupby(told.user_id).diff().dropna()
    assert {0, 1} >= set(moves) >= {1}


def test_traits_say_what_deploy_needs(grown: Play) -> None:
    people = grown.people()
    assert set(people.columns) == {"segment", "timezone", "country", "consent"}
    assert 0.93 < people.consent.mean() < 0.98
    assert people.timezone.str.startswith("Europe/").all()
