-- One row per declared source: how many rows its tables hold, and what became of them. A table, so that who asks reads no event again.

{% set entries = adapters_of() %}
{{ config(enabled=entries | length > 0, materialized='table') }}

with

held as (
    {% for entry in entries %}
        {% for relation in relations_of(entry) %}
            {% set day = date_of_digits('told.event_date') %}
            select
                {{ text_or_null(entry.source) }} as source,
                count(*) as rows_read,
                {% if entry.kind == 'ga4' %}
                    count(case when {{ days_after('told.event_on', entry.final_after_days or 3) }} > told.newest_on then 1 end) as not_final
                {% else %}
                    0 as not_final
                {% endif %}
            {% if entry.kind == 'ga4' %}
                from (select {{ day }} as event_on, max({{ day }}) over () as newest_on from {{ relation }} as told) as told
            {% else %}
                from {{ relation }}
            {% endif %}
            {{ 'union all' if not loop.last }}
        {% endfor %}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

told as (
    {% for model in adapter_models() %}
        select
            source,
            {{ left_out_for() }} as left_out_for
        from {{ ref(model) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

totals as (
    select
        source,
        cast(sum(rows_read) as bigint) as rows_read,
        cast(sum(not_final) as bigint) as not_final
    from held
    group by source
),

left_out as (
    select
        source,
        {% for reason in left_out_reasons() %}
            count(case when left_out_for = '{{ reason }}' then 1 end) as {{ reason }}{{ ',' if not loop.last }}
        {% endfor %}
    from told
    group by source
),

adapted as (
    select
        source,
        count(*) as adapted,
        count(case when user_id is null then 1 end) as of_devices
    from {{ ref('stg_events__adapted') }}
    group by source
)

select
    totals.source,
    totals.rows_read,
    coalesce(adapted.adapted, 0) as adapted,
    coalesce(adapted.of_devices, 0) as of_devices,
    totals.not_final,
    {% for reason in left_out_reasons() %}
        coalesce(left_out.{{ reason }}, 0) as {{ reason }}{{ ',' if not loop.last }}
    {% endfor %}
from totals
left join left_out on totals.source = left_out.source
left join adapted on totals.source = adapted.source
