"""Event tables in the shapes that six tools leave in a warehouse, through the declared adapters, as canonical events."""

import datetime as dt
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.edges.dbt import PROJECT, DbtProject
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal

ADAPTERS: list[dict[str, Any]] = [
    {
        "kind": "segment",
        "source": "segment/web",
        "relations": {
            "tracks": "web.tracks",
            "pages": "web.pages",
            "identifies": "web.identifies",
            "aliases": "web.aliases",
        },
        "aliases": {"Bought": "Order Completed"},
        "context": ["campaign_source", "campaign_medium", "campaign_name", "user_agent"],
        "traits": ["segment", "country"],
        "details": [
            {
                "event": "bought",
                "relation": "web.bought",
                "columns": ["order_id", "revenue", "creative_id"],
                "value": "revenue",
                "currency": "currency",
            },
            {"event": "searched", "relation": "web.searched", "columns": ["query"]},
        ],
    },
    {
        "kind": "rudderstack",
        "source": "rudder/app",
        "relations": {"tracks": "app.tracks"},
        "loaded_at": "loaded_at",
        "channel": "push",
    },
    {
        "kind": "posthog",
        "source": "posthog/eu",
        "relation": "posthog.events",
        "persons": "posthog.persons",
        "aliases": {"order_done": "Order Completed"},
    },
    {"kind": "ga4", "source": "ga4/123", "relation": "ga4.events"},
    {"kind": "snowplow", "source": "snowplow/site", "relation": "atomic.events", "aliases": {"ad_click": "Ad Clicked"}},
    {"kind": "amplitude", "source": "amplitude/1", "relation": "amplitude.events", "aliases": {"signup": "Signed Up"}},
]
SEGMENT = """
    create schema web;
    create table web.tracks as select * from (values
        ('t1', 'u1', 'a1', 'bought', 'Bought', timestamptz '2026-01-05 11:00:00+01', timestamptz '2026-01-05 12:00:00+00',
            timestamptz '2026-01-05 12:00:05+00', timestamptz '2026-01-05 10:00:06+00', timestamptz '2026-01-05 11:00:00+00',
            'facebook', 'cpc', 'spring', 'Mozilla/5.0 (X11)'),
        ('t1', 'u1', 'a1', 'bought', 'Bought', timestamptz '2026-01-05 11:00:00+01', timestamptz '2026-01-05 12:00:00+00',
            timestamptz '2026-01-05 12:00:05+00', timestamptz '2026-01-05 10:00:06+00', timestamptz '2026-01-06 11:00:00+00',
            'facebook', 'cpc', 'spring', 'Mozilla/5.0 (X11)'),
        ('t2', null, 'a2', 'searched', 'Searched', timestamptz '2026-01-05 10:00:00+00', null, null,
            timestamptz '2026-01-05 10:00:06+00', timestamptz '2026-01-05 11:00:00+00', null, null, null, null)
    ) as t (id, user_id, anonymous_id, event, event_text, timestamp, original_timestamp, sent_at, received_at, uuid_ts,
        context_campaign_source, context_campaign_medium, context_campaign_name, context_user_agent);
    create table web.pages as
        select * exclude (event, event_text) replace ('p1' as id) from web.tracks where id = 't2';
    create table web.identifies as
        select *, 'loyal' as segment, 'GB' as country from web.pages;
    update web.identifies set id = 'i1', user_id = 'u1';
    create table web.aliases as
        select 'x1' as id, 'u1' as user_id, 'u0' as previous_id, * exclude (id, user_id, anonymous_id, event, event_text,
            context_campaign_source, context_campaign_medium, context_campaign_name, context_user_agent)
        from web.tracks where id = 't2';
    create table web.bought as select * from (values ('t1', 'o"1', 12.5, 'GBP', 'c7'), ('t1', 'o"1', 12.5, 'GBP', 'c7'))
        as t (id, order_id, revenue, currency, creative_id);
    create table web.searched as select 't2' as id, 'red kettle' as query;
    create schema app;
    create table app.tracks as select * exclude (uuid_ts), uuid_ts as loaded_at from web.tracks where id = 't2';
"""
POSTHOG = """
    create schema posthog;
    create table posthog.events as select * from (values
        ('0190-1', '$pageview', 'd1', 'p-old',
            '{"$utm_source": "google", "utm_medium": "cpc", "$raw_user_agent": "curl/8"}',
            timestamptz '2026-01-05 10:00:00+00', timestamptz '2026-01-05 10:00:02+00'),
        ('0190-2', 'order_done', 'd1', 'p-old', '{"revenue": "19.99", "currency": "EUR", "experiment_id": "e1", "quote": "it''s"}',
            timestamptz '2026-01-05 10:01:00+00', timestamptz '2026-01-05 10:01:02+00'),
        ('0190-3', '$identify', 'd2', 'p-2', '{"$set": {"segment": "new", "consent": true}}',
            timestamptz '2026-01-05 10:02:00+00', timestamptz '2026-01-05 10:02:02+00')
    ) as t (uuid, event, distinct_id, person_id, properties, timestamp, created_at);
    create table posthog.persons as
        select * from (values ('d1', 'p-old', 1), ('d1', 'p-2', 2)) as t (distinct_id, person_id, version);
"""
GA4 = """
    create schema ga4;
    create type said as struct(string_value varchar, int_value bigint, float_value double, double_value double);
    create type param as struct(key varchar, value said);
    create table ga4.events (
        event_date varchar, event_timestamp bigint, event_name varchar, event_params param[], user_id varchar,
        user_pseudo_id varchar, ecommerce struct(transaction_id varchar, purchase_revenue double),
        collected_traffic_source struct(manual_source varchar, manual_medium varchar, manual_campaign_name varchar)
    );
    insert into ga4.events values
        ('20260105', 1767607200000001, 'purchase', [
            {'key': 'currency', 'value': {'string_value': 'USD', 'int_value': null, 'float_value': null, 'double_value': null}},
            {'key': 'ga_session_id', 'value': {'string_value': null, 'int_value': 77, 'float_value': null, 'double_value': null}},
            {'key': 'note', 'value': {'string_value': 'a "b" c', 'int_value': null, 'float_value': null, 'double_value': null}}
        ], 'u9', 'g.1', {'transaction_id': 'T1', 'purchase_revenue': 30.25},
        {'manual_source': 'google', 'manual_medium': 'cpc', 'manual_campaign_name': 'brand'}),
        ('20260105', 1767607200000001, 'purchase', [
            {'key': 'ga_session_id', 'value': {'string_value': null, 'int_value': 78, 'float_value': null, 'double_value': null}}
        ], 'u9', 'g.1', null, null),
        ('20260105', 1767607200000002, 'page_view', [], null, 'g.2', null, null),
        ('20260106', 1767693600000000, 'page_view', [], null, 'g.2', null, null),
        ('20260108', 1767866400000000, 'page_view', [], null, 'g.2', null, null);
"""
SNOWPLOW = """
    create schema atomic;
    create table atomic.events (
        event_id varchar, event_name varchar, user_id varchar, domain_userid varchar, derived_tstamp timestamp,
        dvce_created_tstamp timestamp, dvce_sent_tstamp timestamp, collector_tstamp timestamp, load_tstamp timestamp,
        contexts varchar, unstruct_event varchar, tr_orderid varchar, tr_total double, tr_currency varchar,
        se_category varchar, se_action varchar, se_label varchar, se_value double,
        page_url varchar, mkt_source varchar, mkt_medium varchar, mkt_campaign varchar, useragent varchar
    );
    insert into atomic.events by name
    select 's1' as event_id, 'ad_click' as event_name, 'u1' as user_id, 'd' as domain_userid,
        timestamp '2026-01-05 10:00:00' as derived_tstamp, timestamp '2026-01-05 10:00:01' as collector_tstamp,
        timestamp '2026-01-05 10:05:00' as load_tstamp,
        '{"schema": "iglu:x/contexts/jsonschema/1-0-1", "data": [{"schema": "iglu:com.iab.snowplow/spiders_and_robots/jsonschema/1-0-0",
            "data": {"spiderOrRobot": true}}, {"schema": "iglu:com.acme/user/jsonschema/1-0-0", "data": {"plan": "pro"}}]}' as contexts,
        '{"schema": "iglu:x/unstruct_event/jsonschema/1-0-0", "data": {"schema": "iglu:com.acme/ad_click/jsonschema/1-0-0",
            "data": {"creative_id": "c1", "price": 3}}}' as unstruct_event, 'newsletter' as mkt_source
    union all by name
    select 's2' as event_id, 'transaction' as event_name, 'u1' as user_id, 'd' as domain_userid,
        timestamp '2026-01-05 11:00:00' as derived_tstamp, timestamp '2026-01-05 11:00:01' as collector_tstamp,
        null::timestamp as load_tstamp, 'T9' as tr_orderid, 45.5 as tr_total, 'GBP' as tr_currency;
"""
AMPLITUDE = """
    create schema amplitude;
    create table amplitude.events as select * from (values
        ('am1', 'signup', 'u1', 'dev', 42, timestamp '2026-01-05 10:00:00', timestamp '2026-01-05 13:00:00',
            timestamp '2026-01-05 13:00:01', timestamp '2026-01-05 10:00:02', timestamp '2026-01-05 10:00:03',
            '{"utm_source": "ig"}', '{"segment": "new"}'),
        ('am2', 'revenue_amount', null, null, 42, timestamp '2026-01-05 10:00:00', null, null, timestamp '2026-01-05 10:00:02',
            timestamp '2026-01-05 10:00:03', '{"$revenue": 7.5, "$currency": "EUR"}', '{}')
    ) as t (uuid, event_type, user_id, device_id, amplitude_id, event_time, client_event_time, client_upload_time, server_received_time,
        server_upload_time, event_properties, user_properties);
"""


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """(source, event_id) -> rows of the adapted events; every data test of the adapters has passed."""
    project = _declaring(tmp_path_factory.mktemp("declared") / "dbt_project", ADAPTERS)
    warehouse = Warehouse(tmp_path_factory.mktemp("warehouse"))
    warehouse.migrate()
    with warehouse.connect() as connection:
        connection.execute(SEGMENT + POSTHOG + GA4 + SNOWPLOW + AMPLITUDE)
    DbtProject(project).build(warehouse, select=["path:models/staging/adapters"])
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in warehouse.rows("select * from staging.stg_events__adapted order by ingested_at"):
        found.setdefault((row["source"], row["event_id"]), []).append(row)
    [types] = warehouse.rows(
        """select list(column_name order by column_name) as missing from information_schema.columns
        where table_schema = 'raw' and table_name = 'events' and column_name <> 'extra' and (column_name, data_type) not in (
            select (column_name, data_type) from information_schema.columns where table_name = 'stg_events__adapted')"""
    )
    assert types["missing"] is None, "the columns of raw.events, with their types"
    return found


def _declaring(project: Path, adapters: list[Any]) -> Path:
    """A copy of the dbt project that declares them."""
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    settings = yaml.safe_load((project / "dbt_project.yml").read_text(encoding="utf-8"))
    settings["vars"] = (settings.get("vars") or {}) | {"event_adapters": adapters}
    (project / "dbt_project.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return project


def _at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(f"2026-01-{text}")


def test_segment_copies_keep_their_clocks_and_their_own_table(adapted: Any) -> None:
    first, second = adapted["segment/web", "t1"]
    assert (first["event_name"], first["type"], first["user_id"]) == ("Order Completed", "track", "u1")
    assert (float(first["value"]), first["currency"], first["creative_id"]) == (12.5, "GBP", "c7")
    assert json.loads(first["properties"])["order_id"] == 'o"1'
    assert (first["occurred_at"], first["original_at"]) == (_at("05T10:00:00"), _at("05T12:00:00"))
    assert (first["ingested_at"], second["ingested_at"]) == (_at("05T11:00:00"), _at("06T11:00:00"))
    campaign = json.loads(first["context"])
    assert campaign["campaign"] == {"source": "facebook", "medium": "cpc", "name": "spring"}
    assert campaign["userAgent"] == "Mozilla/5.0 (X11)"
    [page], [identify] = adapted["segment/web", "p1"], adapted["segment/web", "i1"]
    assert (page["type"], page["event_name"]) == ("page", None)
    assert json.loads(identify["properties"]) == {"segment": "loyal", "country": "GB"}
    [searched] = adapted["segment/web", "t2"]
    assert (searched["user_id"], json.loads(searched["properties"])) == (None, {"query": "red kettle"})


def test_segment_aliases_name_the_former_id(adapted: Any) -> None:
    [alias] = adapted["segment/web", "x1"]
    assert (alias["type"], alias["event_name"], alias["user_id"], alias["anonymous_id"]) == ("alias", None, "u1", None)
    assert json.loads(alias["properties"]) == {"previousId": "u0"}
    assert alias["occurred_at"] == _at("05T10:00:00")


def test_rudderstack_is_told_by_its_load_time_and_channel(adapted: Any) -> None:
    [row] = adapted["rudder/app", "t2"]
    assert (row["event_name"], row["channel"], row["ingested_at"]) == ("Searched", "push", _at("05T11:00:00"))


def test_posthog_people_are_those_of_today(adapted: Any) -> None:
    [view], [order], [told] = (adapted["posthog/eu", f"0190-{number}"] for number in (1, 2, 3))
    assert (view["type"], view["user_id"], view["anonymous_id"]) == ("page", "p-2", "d1")
    assert json.loads(view["context"])["campaign"] == {"source": "google", "medium": "cpc", "name": None}
    assert json.loads(view["context"])["userAgent"] == "curl/8"
    assert (order["event_name"], float(order["value"]), order["currency"]) == ("Order Completed", 19.99, "EUR")
    assert order["experiment_id"] == "e1"
    assert (told["type"], json.loads(told["context"])["traits"]["segment"]) == ("identify", "new")


def test_ga4_events_get_ids_and_only_final_days_are_read(adapted: Any) -> None:
    rows = [row for (source, _), copies in adapted.items() if source == "ga4/123" for row in copies]
    assert len({row["event_id"] for row in rows}) == len(rows) == 3
    [order] = [row for row in rows if row["value"] is not None]
    assert (order["event_name"], float(order["value"]), order["currency"]) == ("Order Completed", 30.25, "USD")
    assert json.loads(order["properties"]) == {"currency": "USD", "ga_session_id": 77, "note": 'a "b" c'}
    assert order["occurred_at"] == _at("05T10:00:00.000001")
    assert {row["ingested_at"] for row in rows} == {_at("09T00:00:00")}
    assert json.loads(order["context"])["campaign"]["name"] == "brand"
    assert {row["type"] for row in rows} == {"track", "page"}


def test_snowplow_contexts_tell_machines(adapted: Any) -> None:
    [click], [order] = adapted["snowplow/site", "s1"], adapted["snowplow/site", "s2"]
    assert (click["event_name"], click["is_machine"], click["creative_id"]) == ("Ad Clicked", True, "c1")
    assert json.loads(click["properties"]) == {"creative_id": "c1", "price": 3}
    assert json.loads(click["context"])["contexts"][1]["data"] == {"plan": "pro"}
    assert (order["event_name"], float(order["value"]), order["is_machine"]) == ("Order Completed", 45.5, None)
    assert order["ingested_at"] == order["received_at"] == _at("05T11:00:01")


def test_amplitude_is_cut_by_the_servers_clock(adapted: Any) -> None:
    [told], [order] = adapted["amplitude/1", "am1"], adapted["amplitude/1", "am2"]
    assert (told["event_name"], told["ingested_at"]) == ("Signed Up", _at("05T10:00:03"))
    assert json.loads(told["context"])["traits"] == {"segment": "new"}
    assert (order["event_name"], order["anonymous_id"], float(order["value"])) == ("Order Completed", "42", 7.5)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (
            {"kind": "segmnt", "source": "web"},
            "number 1: kind must be one of segment, rudderstack, posthog, ga4, snowplow, amplitude",
        ),
        ({"kind": "ga4", "relation": "ga4.events"}, r"number 1 \(ga4\): `source` is missing"),
        (
            {"kind": "ga4", "source": "g", "relation": "ga4.events", "persons": "p"},
            "`persons` is unknown; known are kind,",
        ),
        (
            {"kind": "segment", "source": "web", "relations": {"track": "web.tracks"}},
            "has no table `track`; it may have tracks,",
        ),
        (
            {"kind": "segment", "source": "web", "relations": {"tracks": "t"}, "context": ["ip"]},
            "`context` has no `ip`; it may have campaign_source,",
        ),
        (
            {"kind": "rudderstack", "source": "web", "relations": {"tracks": "t"}, "details": [{"event": "bought"}]},
            "`relation` of `details`, number 1, is missing",
        ),
    ],
)
def test_a_declaration_that_nobody_would_read_is_refused(tmp_path: Path, entry: Any, said: str) -> None:
    project = _declaring(tmp_path / "dbt_project", [entry])
    with pytest.raises(Refusal, match=f"event_adapters, {said}|event_adapters, number 1 .*{said}"):
        DbtProject(project).load()
