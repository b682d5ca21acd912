"""`loop import` of exchange rates and of platforms' daily figures, from the command to the tables."""

import json
from pathlib import Path
from typing import Any

import pytest

from orchestration.edges.warehouse import Warehouse

from .conftest import Command, Ended

RATES = "currency,reporting_currency,valid_from,rate"
DAILY = "provider,account_id,level,day,campaign_id,impressions,clicks,cost,currency"
RATE = (
    "select currency, reporting_currency, cast(valid_from as varchar) as day, rate from raw.exchange_rates order by all"
)


def file(place: Path, name: str, header: str, *rows: str) -> str:
    (place / name).write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return name


def rows(place: Path, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in Warehouse(place / "warehouse").rows(query)]


def reasons(ended: Ended) -> dict[str, int]:
    """Reason -> rows, as the command tells them."""
    found = {}
    for line in ended.out.splitlines()[1:]:
        count, _, reason = line.strip().partition(" rows: ")
        found[reason] = int(count)
    return found


def test_rates_are_judged_one_by_one(place: Path, loop: Command) -> None:
    told = [
        "usd,EUR,2026-11-01,0.92",
        "USD,EUR,20261102,0.93",
        "GBP,EUR,2026-11-01 00:00:00,1.15",
        "EUR,EUR,2026-11-01,1",
    ]
    bad = {
        "XXQ,EUR,2026-11-01,1": "currency is no code of ISO 4217",
        ",EUR,2026-11-01,1": "currency is missing",
        "CHF,EURO,2026-11-01,1": "reporting_currency is no code of ISO 4217",
        "CHF,EUR,,1": "valid_from is missing",
        "CHF,EUR,01.11.2026,1": "valid_from is no day such as 2026-11-01",
        "CHF,EUR,2026-11-01,": "rate is missing",
        "CHF,EUR,2026-11-02,one": "rate is not a finite number",
        "CHF,EUR,2026-11-03,-1": "rate is not above 0",
        "EUR,EUR,2026-11-05,1.1": "the rate of a currency into itself is not 1",
        "GBP,EUR,2026-11-01,1.16": "an earlier row gives another rate from that day on",
        "GBP,EUR,2026-11-01,1.15": "an earlier row says the same",
    }
    ended = loop("import", file(place, "r.csv", RATES, *told, *bad), "--kind", "rates")
    assert ended.out.startswith("15 rows read, 4 accepted, 11 quarantined"), ended
    assert reasons(ended) == dict.fromkeys(bad.values(), 1)
    assert rows(place, RATE) == [
        ("EUR", "EUR", "2026-11-01", 1),
        ("GBP", "EUR", "2026-11-01", 1.15),
        ("USD", "EUR", "2026-11-01", 0.92),
        ("USD", "EUR", "2026-11-02", 0.93),
    ]


def test_a_longer_list_of_rates_brings_what_is_new_in_it(place: Path, loop: Command) -> None:
    first = loop("import", file(place, "a.csv", RATES, "USD,EUR,2026-11-01,0.92"), "--kind", "rates")
    longer = file(place, "b.csv", RATES, "USD,EUR,2026-11-01,0.92", "USD,EUR,2026-11-02,0.93")
    again = loop("import", longer, "--kind", "rates")
    repeated = loop("import", longer, "--kind", "rates")
    corrected = loop("import", file(place, "c.csv", RATES, "USD,EUR,2026-11-01,0.91"), "--kind", "rates")
    assert [first.code, again.code, repeated.code, corrected.code] == [0] * 4
    assert again.out == "2 rows read, 1 accepted, 0 quarantined, 1 there already\n"
    assert "taken in before" in repeated.out
    assert rows(place, "select rate from raw.exchange_rates order by recorded_at") == [(0.92,), (0.93,), (0.91,)]


def test_rates_of_a_central_bank_are_turned_round(place: Path, loop: Command) -> None:
    told = file(
        place, "ecb.csv", "KEY,CURRENCY,CURRENCY_DENOM,TIME_PERIOD,OBS_VALUE", "EXR.D.USD,USD,EUR,2026-11-02,1.25"
    )
    assert loop("import", told, "--as", "ecb_rates").out.startswith("1 rows read, 1 accepted")
    assert rows(place, RATE) == [("USD", "EUR", "2026-11-02", 0.8)]


def test_amounts_are_turned_into_one_currency(place: Path, loop: Command) -> None:
    both = loop(
        "import", file(place, "x.csv", RATES, "CHF,EUR,2026-11-01,1", "CHF,USD,2026-11-01,1"), "--kind", "rates"
    )
    assert (both.code, both.err) == (
        2, "x.csv -> tells rates into EUR and USD. Give rates into one currency, into which all amounts are turned.\n",
    )  # fmt: skip
    loop("import", file(place, "a.csv", RATES, "CHF,EUR,2026-11-01,1.05"), "--kind", "rates")
    other = file(place, "b.csv", RATES, "CHF,USD,2026-11-01,1.2")
    refused = loop("import", other, "--kind", "rates")
    assert refused.code == 2
    assert refused.err.startswith(
        "b.csv -> tells rates into USD, and the warehouse turns amounts into EUR. Give rates into EUR"
    )
    assert loop("import", other, "--kind", "rates", "--set", "change_reporting_currency=true").code == 0
    assert [row[1] for row in rows(place, RATE)] == ["EUR", "USD"]


TRUTH = """select cast(daily.day as varchar) as day, daily.campaign_id, daily.clicks, cast(daily.cost as double) as cost
    from raw.channel_daily as daily join (
        select window_id from raw.channel_windows
        qualify row_number() over (partition by provider, account_id, level, day order by extracted_at desc) = 1
    ) using (window_id) order by all"""


def report(place: Path, name: str, *lines: str) -> str:
    """A file of campaigns by day: the lines are day, campaign, impressions, clicks, cost, currency."""
    return file(place, name, DAILY, *(f"meta,1,campaign,{line}" for line in lines))


def test_a_file_restates_whole_days_and_leaves_others_alone(place: Path, loop: Command) -> None:
    first = report(place, "a.csv", "2026-11-01,a,100,5,1.5,EUR", "2026-11-01,b,100,7,2,EUR", "2026-11-02,a,100,9,3,EUR")
    assert loop("import", first, "--kind", "channel_daily").out == "3 rows read, 3 accepted, 0 quarantined\n"
    # b is withdrawn, a corrected; the second day is not told.
    loop("import", report(place, "b.csv", "2026-11-01,a,100,4,1.5,eur"), "--kind", "channel_daily")
    assert rows(place, TRUTH) == [("2026-11-01", "a", 4, 1.5), ("2026-11-02", "a", 9, 3.0)]
    assert rows(place, "select count(*) from raw.channel_daily") == [(4,)], "every version is kept"


def test_what_was_told_once_may_be_told_again(place: Path, loop: Command) -> None:
    a = report(place, "a.csv", "2026-11-01,a,100,5,1,EUR", "2026-11-02,a,100,6,1,EUR")
    b = report(place, "b.csv", "2026-11-01,a,100,8,1,EUR")
    said = [loop("import", name, "--kind", "channel_daily").out for name in (a, a, b, a, a)]
    assert said == [
        "2 rows read, 2 accepted, 0 quarantined\n",
        "2 rows read, 2 accepted, 0 quarantined (taken in before; nothing was added)\n",
        "1 rows read, 1 accepted, 0 quarantined\n",
        "2 rows read, 1 accepted, 0 quarantined, 1 there already\n",
        "2 rows read, 2 accepted, 0 quarantined (taken in before; nothing was added)\n",
    ]
    assert rows(place, TRUTH) == [("2026-11-01", "a", 5, 1.0), ("2026-11-02", "a", 6, 1.0)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2026-11-01,b,100,5,-1.5,EUR", "cost is negative"),
        ("2026-11-01,b,100,5,1.5,XXQ", "currency is no code of ISO 4217"),
        ("2026-11-01,b,100,5,1.5,", "cost is told without a currency"),
        ('2026-11-01,b,100,5,"1,500.00",EUR', "cost is not an amount"),
        ("2026-11-01,b,-100,5,1.5,EUR", "impressions is negative"),
        ("2026-11-01,b,100,5.5,1.5,EUR", "clicks is not a whole number"),
        ("2026-11-01,b,1e30,5,1.5,EUR", "impressions is too large"),
        ("2026-11-01,,100,5,1.5,EUR", "campaign_id is missing"),
        ("2026-11-01,a,100,6,1.5,EUR", "an earlier row of the day is of the same campaign, ad set, ad, breakdown and attribution"),
    ],
)  # fmt: skip
def test_a_day_with_a_bad_row_keeps_what_was_known(place: Path, loop: Command, line: str, reason: str) -> None:
    loop(
        "import",
        report(place, "a.csv", "2026-11-01,a,100,5,1,EUR", "2026-11-01,b,100,7,1,EUR"),
        "--kind",
        "channel_daily",
    )
    ended = loop(
        "import",
        report(place, "b.csv", "2026-11-01,a,100,6,1,EUR", line, "2026-11-02,a,100,9,1,EUR"),
        "--kind",
        "channel_daily",
    )
    assert ended.out.startswith("3 rows read, 1 accepted, 2 quarantined"), ended
    assert reasons(ended) == {reason: 1, f"the day keeps what was known: row 2 may belong to it ({reason})": 1}
    assert rows(place, TRUTH) == [("2026-11-01", "a", 5, 1.0), ("2026-11-01", "b", 7, 1.0), ("2026-11-02", "a", 9, 1.0)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("meta,1,campaign,,a,1,1,1,EUR", "day is missing"),
        ("meta,1,campaign,01/11/2026,a,1,1,1,EUR", "day is no day such as 2026-11-01"),
        ("meta,1,adgroup,2026-11-01,a,1,1,1,EUR", "level is none of account, campaign, ad_set, ad"),
        ("meta,,campaign,2026-11-01,a,1,1,1,EUR", "account_id is missing"),
        ("Total", "the row cannot be read: missing columns"),
    ],
)
def test_a_row_that_may_belong_to_any_day_holds_up_those_alone(
    place: Path, loop: Command, line: str, reason: str
) -> None:
    kept = "tiktok,9,campaign,2026-11-01,a,100,5,1,EUR"
    told = file(place, "a.csv", DAILY, "meta,1,campaign,2026-11-01,a,100,5,1,EUR", line, kept)
    ended = loop("import", told, "--kind", "channel_daily")
    assert f"may belong to it ({reason})" in (ended.out + ended.err).replace("\n", " ")
    if reason.startswith("the row cannot be read"):
        assert ended.code == 2
        assert "none of its 3 rows can be accepted" in ended.err
    else:
        assert rows(place, "select provider from raw.channel_daily") == [("tiktok",)]


def test_the_days_a_file_covers_may_be_empty(place: Path, loop: Command) -> None:
    known = [f"2026-11-0{day},a,100,{day},1,EUR" for day in (1, 2, 3, 4)]
    loop("import", report(place, "a.csv", *known), "--kind", "channel_daily")
    told = report(place, "b.csv", "2026-11-02,a,100,8,1,EUR", "2026-11-09,a,1,1,1,EUR")
    span = ["--set", "first_day=2026-11-01", "--set", "last_day=2026-11-03"]
    ended = loop("import", told, "--kind", "channel_daily", *span)
    assert reasons(ended) == {"day is not between first_day and last_day": 1}
    assert rows(place, TRUTH) == [("2026-11-02", "a", 8, 1.0), ("2026-11-04", "a", 4, 1.0)]
    assert loop("import", told, "--kind", "channel_daily", *span[:2]).err.startswith("mapping -> ")


def test_columns_become_a_breakdown_and_micros_an_amount(place: Path, loop: Command) -> None:
    header = "Day,Campaign,Country,Age,Cost (micros),Shown"
    told = file(place, "x.csv", header, "2026-11-01,a,DE,18-24,1500000,10", "2026-11-01,a,FR,18-24,2500000,20")
    (place / "m.yaml").write_text(
        """kind: channel_daily
provider: {constant: google_ads}
account_id: {constant: 77}
level: {constant: ad}
day: Day
campaign_id: Campaign
ad_id: Campaign
breakdown: [Country, Age]
impressions: Shown
cost: Cost (micros)
cost_in_micros: true
currency: {constant: EUR}
""",
        encoding="utf-8",
    )
    assert loop("import", told, "--mapping", "m.yaml").out.startswith("2 rows read, 2 accepted")
    found = rows(
        place,
        "select ad_set_id, breakdown, cast(cost as double), impressions, clicks from raw.channel_daily order by 3",
    )
    assert [(row[0], json.loads(row[1]), *row[2:]) for row in found] == [
        ("a", {"Country": "DE", "Age": "18-24"}, 1.5, 10, None),
        ("a", {"Country": "FR", "Age": "18-24"}, 2.5, 20, None),
    ]


def test_a_file_without_figures_or_days_is_refused(place: Path, loop: Command) -> None:
    bare = file(place, "x.csv", "provider,account_id,level,day", "meta,1,account,2026-11-01")
    assert "x.csv -> is mapped without impressions" in loop("import", bare, "--kind", "channel_daily").err
    no_day = file(place, "y.csv", "provider,account_id,level,clicks", "meta,1,account,5")
    assert "y.csv -> is mapped without day" in loop("import", no_day, "--kind", "channel_daily").err
    no_currency = file(place, "z.csv", "provider,account_id,level,day,cost", "meta,1,account,2026-11-01,5")
    assert "z.csv -> is mapped without currency" in loop("import", no_currency, "--kind", "channel_daily").err


def test_the_doctor_looks_into_drop_folders(place: Path, loop: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "drop").mkdir()
    (place / "drop" / "x.ndjson").write_text("{}\n", encoding="utf-8")
    monkeypatch.setenv("LOOP_DROP", f"{place / 'drop'} nothing://x")
    told = " ".join(loop("doctor").out.split())
    assert "1 files" in told
    assert "nothing:// -> cannot be read here" in told
