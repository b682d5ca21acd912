{# The days an incremental build of user days must make anew: those of every event that settled since the last build, as a subquery. #}
{% macro touched_days(built) %}
    select cast(occurred_at as date)
    from {{ ref('stg_events__events') }}
    where settled_at >= (select coalesce(max(built_through), timestamp '1970-01-01 00:00:00') from {{ built }})
{% endmacro %}
