"""Event tables in the shapes that six tools leave in a warehouse, through the declared adapters, as canonical events."""

import datetime as dt
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.doctor import examine
from orchestration.edges.dbt import PROJECT, DbtProject
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.settings import read_settings

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
    {
        "kind": "posthog",
        "source": "posthog/bigquery",
        "relation": "posthog.exported",
        "persons": "posthog.exported_persons",
    },
    {"kind": "posthog", "source": "posthog/snowflake", "relation": "posthog.snowflake_events"},
    {"kind": "ga4", "source": "ga4/123", "relation": "ga4.events"},
    {"kind": "ga4", "source": "ga4/old", "relation": "ga4.old_events", "people": "devices"},
    {
        "kind": "snowplow",
        "source": "snowplow/site",
        "relation": "atomic.events",
        "aliases": {"ad_click": "Ad Clicked"},
        "entities": ["contexts_com_acme_user_1"],
    },
    {"kind": "snowplow", "source": "snowplow/snowflake", "relation": "atomic.variants"},
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
            timestamptz '2026-01-05 10:00:06+00', timestamptz '2026-01-05 11:00:00+00', null, null, null, null),
        (null, 'u1', 'a1', 'searched', 'Searched', timestamptz '2026-01-05 10:00:00+00', null, null,
            timestamptz '2026-01-05 10:00:06+00', timestamptz '2026-01-05 11:00:00+00', null, null, null, null),
        ('t4', 'u1', 'a1', 'searched', 'Searched', timestamptz '2026-01-05 10:00:00+00', null, null,
            timestamptz '2026-01-05 10:00:06+00', null, null, null, null, null)
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
    insert into web.tracks
        select tracks.* replace (
            lower(replace(name, ' ', '_')) as event, name as event_text, 'n' || number as id, 'n' || number as user_id
        )
        from web.tracks as tracks, (values
            (1, 'SMS Sent'), (2, 'Push Notification Received'), (3, 'Email Delivered'), (4, 'Application Uninstalled'),
            (5, 'Application Crashed'), (6, 'Email Link Clicked'), (7, 'Brochure Read')
        ) as named (number, name)
        where id = 't2';
"""
POSTHOG = """
    create schema posthog;
    create table posthog.events as select * from (values
        ('0190-1', '$pageview', 'd1', 'p-old',
            '{"utm_source": "google", "utm_medium": "cpc", "$raw_user_agent": "curl/8",
                "$current_url": "https://x/?a=1&utm_source=google+ads&utm_medium=cpc&utm_campaign=gr%C3%BCn#top"}',
            timestamptz '2026-01-05 10:00:00+00', timestamptz '2026-01-05 10:00:02+00'),
        ('0190-2', 'order_done', 'd1', 'p-old', '{"revenue": "19.99", "currency": "EUR", "experiment_id": "e1", "quote": "it''s"}',
            timestamptz '2026-01-05 10:01:00+00', timestamptz '2026-01-05 10:01:02+00'),
        ('0190-3', '$identify', 'd2', 'p-2', '{"$set": {"segment": "new", "consent": true}}',
            timestamptz '2026-01-05 10:02:00+00', timestamptz '2026-01-05 10:02:02+00'),
        ('0190-4', '$pageview', 'd1', 'p-old',
            '{"utm_source": "google", "utm_medium": "cpc", "utm_campaign": "spring", "$session_entry_utm_source": "google",
                "$current_url": "https://x/pricing"}',
            timestamptz '2026-01-09 10:00:00+00', timestamptz '2026-01-09 10:00:02+00')
    ) as t (uuid, event, distinct_id, person_id, properties, timestamp, created_at);
    insert into posthog.events
        select 'a' || number, name, 'auto' || number, 'auto' || number, '{}',
            timestamptz '2026-01-05 10:00:00+00', timestamptz '2026-01-05 10:00:00+00'
        from (values
            (1, '$feature_flag_called'), (2, '$web_vitals'), (3, '$exception'), (4, '$pageleave'), (5, '$identify'),
            (6, '$groupidentify'), (7, '$set'), (8, '$opt_in'), (9, '$autocapture')
        ) as named (number, name);
    create table posthog.persons as
        select * from (values ('d1', 'p-old', 1), ('d1', 'p-2', 2)) as t (distinct_id, person_id, version);
    create table posthog.exported as select * from (values
        ('0191-1', '$pageview', '{"$current_url": "https://x/"}', '', '{}', '{}', 'd1', 1, null, '',
            timestamptz '2026-01-05 10:00:00+00', timestamptz '2026-01-05 10:05:00+00'),
        ('0191-2', '$set', '{}', '', '{"segment": "loyal"}', '{}', 'd9', 1, null, '',
            timestamptz '2026-01-05 10:00:00+00', timestamptz '2026-01-05 10:05:00+00')
    ) as t (uuid, event, properties, elements, "set", set_once, distinct_id, team_id, ip, site_url, timestamp, bq_ingested_timestamp);
    create table posthog.exported_persons as select * from (values
        (1, 'd1', 'p-7', '{}', 9, 1, timestamptz '2026-01-01 00:00:00+00')
    ) as t (team_id, distinct_id, person_id, properties, person_version, person_distinct_id_version, created_at);
    create table posthog.snowflake_events as select * from (values
        ('0192-1', '$pageview', '{"$current_url": "https://x/"}'::json, '[]'::json, '{}'::json, '{}'::json, 'd1', 1, null, '',
            timestamp '2026-01-05 10:00:00')
    ) as t (uuid, event, properties, elements, people_set, people_set_once, distinct_id, team_id, ip, site_url, timestamp);
"""
GA4 = """
    create schema ga4;
    create type said as struct(string_value varchar, int_value bigint, float_value double, double_value double);
    create type param as struct(key varchar, value said);
    create table ga4.events (
        event_date varchar, event_timestamp bigint, event_name varchar, event_params param[], user_id varchar, user_pseudo_id varchar,
        ecommerce struct(transaction_id varchar, purchase_revenue double, refund_value double),
        collected_traffic_source struct(manual_source varchar, manual_medium varchar, manual_campaign_name varchar, gclid varchar),
        items struct(item_id varchar, quantity bigint)[],
        batch_event_index bigint, batch_ordering_id bigint, batch_page_id bigint, event_bundle_sequence_id bigint
    );
    insert into ga4.events by name
    select * from (values
        ('20260105', 1767607200000001, 'purchase', [
            {'key': 'currency', 'value': {'string_value': 'USD', 'int_value': null, 'float_value': null, 'double_value': null}},
            {'key': 'ga_session_id', 'value': {'string_value': null, 'int_value': 77, 'float_value': null, 'double_value': null}},
            {'key': 'note', 'value': {'string_value': 'a "b" c', 'int_value': null, 'float_value': null, 'double_value': null}},
            {'key': 'odd', 'value': {'string_value': null, 'int_value': null, 'float_value': null, 'double_value': 'nan'::double}}
        ], 'u9', 'g.1', {'transaction_id': 'T1', 'purchase_revenue': 30.25, 'refund_value': null},
        {'manual_source': 'google', 'manual_medium': 'cpc', 'manual_campaign_name': 'brand', 'gclid': null}, null),
        ('20260105', 1767607200000001, 'purchase', [
            {'key': 'ga_session_id', 'value': {'string_value': null, 'int_value': 78, 'float_value': null, 'double_value': null}}
        ], 'u9', 'g.1', null, null, null),
        ('20260105', 1767607200000002, 'page_view', [], null, 'g.2', null, null, null),
        ('20260106', 1767693600000000, 'page_view', [], null, 'g.2', null, null, null),
        ('20260105', 1767607200000003, 'page_view', [], null, 'g.ads', null,
            {'manual_source': null, 'manual_medium': null, 'manual_campaign_name': null, 'gclid': 'Cj0x'}, null),
        ('20260105', 1767607200000004, 'view_item', [], 'u8', 'g.3', null, null, 1),
        ('20260105', 1767607200000004, 'view_item', [], 'u8', 'g.3', null, null, 2),
        ('20260105', 1767607200000005, 'refund', [], 'u9', 'g.1',
            {'transaction_id': 'T1', 'purchase_revenue': 0, 'refund_value': 12.5}, null, 1),
        ('20260105', 1767607200000006, 'page_view', [], null, null, null, null, 1),
        ('20260105', 1767607200000007, 'page_view', [], null, null, null, null, 1),
        ('20260105', 1767607200000008, 'app_remove', [], 'gone', 'g.4', null, null, 1),
        ('20260105', 1767607200000008, 'notification_dismiss', [], 'gone', 'g.4', null, null, 2),
        ('20260108', 1767866400000000, 'page_view', [], null, 'g.2', null, null, null)
    ) as t (event_date, event_timestamp, event_name, event_params, user_id, user_pseudo_id, ecommerce, collected_traffic_source,
        batch_event_index);
    create table ga4.old_events as
        select * exclude (batch_event_index, batch_ordering_id, batch_page_id, event_bundle_sequence_id) replace (items.items as items)
        from (select * from ga4.events where event_name = 'view_item' and batch_event_index = 1),
            (values ([{'item_id': 'A', 'quantity': 1}]), ([{'item_id': 'B', 'quantity': 1}])) as items (items);
    update ga4.old_events set user_id = null;
    insert into ga4.old_events by name select '20260109' as event_date, 1767952800000000 as event_timestamp, 'page_view' as event_name;
"""
SNOWPLOW = """
    create schema atomic;
    create table atomic.events (
        event_id varchar, event varchar, event_name varchar, user_id varchar, domain_userid varchar, derived_tstamp timestamp,
        dvce_created_tstamp timestamp, dvce_sent_tstamp timestamp, collector_tstamp timestamp, load_tstamp timestamp,
        tr_orderid varchar, tr_total double, tr_currency varchar,
        se_category varchar, se_action varchar, se_label varchar, se_value double,
        page_url varchar, mkt_source varchar, mkt_medium varchar, mkt_campaign varchar, useragent varchar
    );
    create table atomic.variants as from atomic.events;
    alter table atomic.events add column unstruct_event_com_acme_ad_click_1 struct(creative_id varchar, price int);
    alter table atomic.events add column unstruct_event_com_snowplowanalytics_snowplow_application_error_1 struct(message varchar);
    alter table atomic.events
        add column contexts_com_iab_snowplow_spiders_and_robots_1_0_0 struct(spider_or_robot boolean, category varchar)[];
    alter table atomic.events add column contexts_com_acme_user_1 struct(plan varchar)[];
    alter table atomic.variants add column unstruct_event_com_acme_ad_click_1 json;
    alter table atomic.variants add column contexts_com_iab_snowplow_spiders_and_robots_1 json;
    insert into atomic.events by name
    select 's1' as event_id, 'unstruct' as event, 'ad_click' as event_name, 'u1' as user_id, 'd' as domain_userid,
        timestamp '2026-01-05 10:00:00' as derived_tstamp, timestamp '2026-01-05 10:00:01' as collector_tstamp,
        timestamp '2026-01-05 10:05:00' as load_tstamp, 'newsletter' as mkt_source,
        {'creative_id': 'c1', 'price': 3} as unstruct_event_com_acme_ad_click_1,
        [{'spider_or_robot': true, 'category': 'SPIDER'}] as contexts_com_iab_snowplow_spiders_and_robots_1_0_0,
        [{'plan': 'pro'}] as contexts_com_acme_user_1
    union all by name
    select 's2' as event_id, 'transaction' as event, 'transaction' as event_name, 'u1' as user_id, 'd' as domain_userid,
        timestamp '2026-01-05 11:00:00' as derived_tstamp, timestamp '2026-01-05 11:00:01' as collector_tstamp,
        null::timestamp as load_tstamp, 'T9' as tr_orderid, 45.5 as tr_total, 'GBP' as tr_currency
    union all by name
    select 's3' as event_id, 'unstruct' as event, 'application_error' as event_name, 'crashed' as user_id, 'd' as domain_userid,
        timestamp '2026-01-05 11:00:00' as derived_tstamp, timestamp '2026-01-05 11:00:01' as collector_tstamp,
        {'message': 'null'} as unstruct_event_com_snowplowanalytics_snowplow_application_error_1,
        [{'spider_or_robot': false, 'category': 'BROWSER'}] as contexts_com_iab_snowplow_spiders_and_robots_1_0_0;
    insert into atomic.variants by name
    select 'v1' as event_id, 'unstruct' as event, 'ad_click' as event_name, 'u1' as user_id, 'd' as domain_userid,
        timestamp '2026-01-05 10:00:00' as derived_tstamp, timestamp '2026-01-05 10:00:01' as collector_tstamp,
        timestamp '2026-01-05 10:05:00' as load_tstamp, '{"creative_id": "c2"}'::json as unstruct_event_com_acme_ad_click_1,
        '[{"spiderOrRobot": true, "primaryImpact": "UNKNOWN"}]'::json as contexts_com_iab_snowplow_spiders_and_robots_1;
"""
AMPLITUDE = """
    create schema amplitude;
    create table amplitude.events as select * from (values
        ('am1', 'signup', 'u1', 'dev', 42, timestamp '2026-01-05 10:00:00', timestamp '2026-01-05 13:00:00',
            timestamp '2026-01-05 13:00:01', timestamp '2026-01-05 10:00:02', timestamp '2026-01-05 10:00:03',
            '{"utm_source": "ig"}', '{"segment": "new"}'),
        ('am3', '[Amplitude] Page Viewed', 'u1', 'dev', 42, timestamp '2026-01-09 10:00:00', null, null,
            timestamp '2026-01-09 10:00:02', timestamp '2026-01-09 10:00:03', '{"[Amplitude] Page Path": "/"}',
            '{"utm_source": "ig", "utm_medium": "social", "initial_utm_source": "ig"}'),
        ('am4', 'session_end', 'u4', 'dev', 42, timestamp '2026-01-09 10:00:00', null, null, timestamp '2026-01-09 10:00:02',
            timestamp '2026-01-09 10:00:03', '{}', '{}'),
        ('am2', 'revenue_amount', null, null, 42, timestamp '2026-01-05 10:00:00', null, null, timestamp '2026-01-05 10:00:02',
            timestamp '2026-01-05 10:00:03', '{"$revenue": 7.5, "$currency": "EUR"}', '{}')
    ) as t (uuid, event_type, user_id, device_id, amplitude_id, event_time, client_event_time, client_upload_time, server_received_time,
        server_upload_time, event_properties, user_properties);
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> DbtProject:
    return DbtProject(_declaring(tmp_path_factory.mktemp("declared") / "dbt_project", ADAPTERS))


@pytest.fixture(scope="module")
def warehouse(project: DbtProject, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """One with the tools' tables; every data test of the adapters has passed."""
    warehouse = Warehouse(tmp_path_factory.mktemp("warehouse"))
    warehouse.migrate()
    with warehouse.connect() as connection:
        connection.execute(SEGMENT + POSTHOG + GA4 + SNOWPLOW + AMPLITUDE)
    project.build(warehouse, select=["path:models/staging/adapters"])
    return warehouse


@pytest.fixture(scope="module")
def built(project: DbtProject, warehouse: Warehouse) -> Warehouse:
    """The same with a call that the receiver took, as far as touches and what counts as activity."""
    said = {"messageId": "r1", "type": "track", "event": "Application Uninstalled", "userId": "n8"}
    row = [
        "i1",
        "segment",
        "segment/app",
        _at("05T10:00:00"),
        _at("05T10:00:01"),
        '{"call": "track"}',
        json.dumps(said),
        "x",
    ]
    with warehouse.connect() as connection:
        connection.execute("insert into raw.inbox values (?, ?, ?, ?, ?, ?, ?, ?)", row)
    tests = ["resource_type:test", "resource_type:unit_test"]
    project.build(warehouse, select=["+int_channels__touches"], exclude=tests)
    return warehouse


@pytest.fixture(scope="module")
def adapted(warehouse: Warehouse) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """(source, event_id) -> rows of the adapted events."""
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
    assert json.loads(view["context"])["campaign"] == {"source": "google ads", "medium": "cpc", "name": "grün"}
    assert json.loads(view["context"])["userAgent"] == "curl/8"
    assert (order["event_name"], float(order["value"]), order["currency"]) == ("Order Completed", 19.99, "EUR")
    assert order["experiment_id"] == "e1"
    assert (told["type"], json.loads(told["context"])["traits"]["segment"]) == ("identify", "new")


def _of(adapted: Any, source: str) -> list[dict[str, Any]]:
    return [row for (told, _), copies in adapted.items() if told == source for row in copies]


def test_posthog_exports_without_person_and_arrival_are_read(adapted: Any) -> None:
    [view], [told] = adapted["posthog/bigquery", "0191-1"], adapted["posthog/bigquery", "0191-2"]
    assert (view["user_id"], view["anonymous_id"], told["user_id"]) == ("p-7", "d1", "d9")
    assert view["ingested_at"] == view["received_at"] == _at("05T10:05:00")
    assert json.loads(told["context"])["traits"] == {"segment": "loyal"}
    [row] = adapted["posthog/snowflake", "0192-1"]
    assert (row["user_id"], row["ingested_at"]) == ("d1", _at("05T10:00:00"))


def test_ga4_events_get_ids_and_only_final_days_are_read(adapted: Any) -> None:
    rows = _of(adapted, "ga4/123")
    assert len({row["event_id"] for row in rows}) == len(rows) == 9
    [order] = [row for row in rows if row["event_name"] == "Order Completed" and row["value"] is not None]
    assert (float(order["value"]), order["currency"]) == (30.25, "USD")
    assert json.loads(order["properties"]) == {"currency": "USD", "ga_session_id": 77, "note": 'a "b" c', "odd": None}
    assert order["occurred_at"] == _at("05T10:00:00.000001")
    assert {row["ingested_at"] for row in rows} == {_at("09T00:00:00")}
    assert json.loads(order["context"])["campaign"]["name"] == "brand"
    assert {row["type"] for row in rows} == {"track", "page"}
    [refund] = [row for row in rows if row["event_name"] == "Order Refunded"]
    assert float(refund["value"]) == 12.5
    [visit] = [row for row in rows if row["anonymous_id"] == "g.ads"]
    assert json.loads(visit["context"])["campaign"] == {"source": "google", "medium": "cpc", "name": None}


def test_ga4_events_of_a_batch_are_told_by_their_place_or_their_items(adapted: Any) -> None:
    for source, person in (("ga4/123", "u8"), ("ga4/old", "g.3")):
        views = [row for row in _of(adapted, source) if row["event_name"] == "Product Viewed"]
        assert len({row["event_id"] for row in views}) == len(views) == 2
        assert {row["user_id"] for row in views} == {person}, "the device, where a declaration takes it for a person"


def test_snowplow_columns_of_schemas_are_properties_and_tell_machines(adapted: Any) -> None:
    [click], [order], [error] = (adapted["snowplow/site", name] for name in ("s1", "s2", "s3"))
    assert (click["event_name"], click["is_machine"], click["creative_id"]) == ("Ad Clicked", True, "c1")
    assert json.loads(click["properties"]) == {"creative_id": "c1", "price": 3}
    assert json.loads(click["context"])["contexts_com_acme_user_1"] == [{"plan": "pro"}]
    assert (order["event_name"], float(order["value"]), order["is_machine"]) == ("Order Completed", 45.5, None)
    assert order["ingested_at"] == order["received_at"] == _at("05T11:00:01")
    assert (error["is_machine"], json.loads(error["properties"])) == (None, {"message": "null"})
    [variant] = adapted["snowplow/snowflake", "v1"]
    assert (variant["event_name"], variant["is_machine"], variant["creative_id"]) == ("ad_click", True, "c2")


def test_amplitude_is_cut_by_the_servers_clock(adapted: Any) -> None:
    [told], [order] = adapted["amplitude/1", "am1"], adapted["amplitude/1", "am2"]
    assert (told["event_name"], told["ingested_at"]) == ("Signed Up", _at("05T10:00:03"))
    assert json.loads(told["context"])["traits"] == {"segment": "new"}
    assert (order["event_name"], order["anonymous_id"], float(order["value"])) == ("Order Completed", "42", 7.5)


def test_a_campaign_is_a_touch_of_the_visit_it_brought_alone(built: Warehouse) -> None:
    """PostHog's registered campaign and Amplitude's user properties come with every later visit."""
    touches = built.rows("select event_source, event_id, source, medium from intermediate.int_channels__touches")
    told = {(row["event_source"], row["source"], row["medium"]) for row in touches}
    assert {row["event_id"] for row in touches} & {"0190-4", "am3"} == set()
    assert ("posthog/eu", "google ads", "cpc") in told
    [later] = built.rows("select properties from staging.stg_events__adapted where event_id = '0190-4'")
    assert json.loads(later["properties"])["registered_utm_source"] == "google"


def test_what_tools_send_by_themselves_is_nobodys_activity(built: Warehouse) -> None:
    rows = built.rows("select user_id, event_name, channel, is_activity from staging.stg_events__events")
    automatic = {f"auto{number}" for number in range(1, 9)} | {
        "gone",
        "crashed",
        "u4",
        *(f"n{number}" for number in (1, 2, 3, 4, 5, 8)),
    }
    assert automatic - {row["user_id"] for row in rows} == set()
    active = {row["user_id"] for row in rows if row["is_activity"]}
    assert active & automatic == set()
    assert {"auto9", "n6", "n7"} <= active, "a click, on a page or in a message, and an event of one's own"
    assert {
        row["event_name"]: row["channel"]
        for row in rows
        if row["user_id"] in {"n1", "n2", "n3", "n4", "n5", "n6", "n7"}
    } == {
        "SMS Sent": "sms",
        "Push Notification Received": "push",
        "Email Delivered": "email",
        "Application Uninstalled": "system",
        "Application Crashed": "system",
        "Email Link Clicked": "email",
        "Brochure Read": "web",
    }


def test_every_row_is_accounted_for(warehouse: Warehouse) -> None:
    """The identity itself is a data test, which has passed when this begins."""
    rows = {row["source"]: row for row in warehouse.rows("select * from staging.stg_adapters__account")}
    assert rows.keys() == {entry["source"] for entry in ADAPTERS}
    ga4 = rows["ga4/123"]
    assert [ga4[name] for name in ("rows_read", "adapted", "not_final", "of_nobody", "of_devices")] == [13, 9, 2, 2, 2]
    web = rows["segment/web"]
    assert [web[name] for name in ("rows_read", "adapted", "without_id", "without_arrival")] == [15, 13, 1, 1]


def test_the_doctor_tells_of_rows_that_were_left_out(
    warehouse: Warehouse, project: DbtProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.edges.dbt.PROJECT", project.project)
    monkeypatch.setenv("LOOP_WAREHOUSE", str(warehouse.folder))
    found = {finding.subject: finding for finding in examine(read_settings())}
    assert (
        found["adapter ga4/123"].found
        == "13 rows, 9 adapted, 2 of them of devices alone, 2 not final yet, 2 left out as nobody's"
    )
    assert (
        found["adapter segment/web"].found
        == "15 rows, 13 adapted, 2 of them of devices alone, 1 left out without id, 1 left out without arrival"
    )
    assert all(finding.is_well for subject, finding in found.items() if subject.startswith("adapter"))


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
            {"kind": "ga4", "source": "g", "relation": "ga4.events", "people": "everybody"},
            "`people` may be devices, not `everybody`",
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
