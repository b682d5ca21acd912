{#
    What int_people__returns must make anew, as two lists of day literals: `made`, and `read`, which adds the days before each in which a
    previous activity still matters. Made are the days that int_people__known_days made anew, those in whose reach they lie (a late event
    changes since when the person's next day of activity had been waited for), those of people whose cohort or segment became known late, and
    those on which people were new and no longer are, or have become so: the next active day after a changed one, however far, where no
    unchanged activity lies before that. Both are null in a full build.
#}
{% macro returning_days(built) %}
    {%- set days, people = ref('int_people__user_days'), ref('int_people') -%}
    {%- set touched = changed_days(built, ref('int_people__known_days')) -%}
    {%- if not (execute and is_incremental()) -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set reach = run_query('select reach_days from ' ~ ref('int_growth_terms')).rows[0][0] -%}
    {%- if not touched -%}{{ return({'made': [], 'read': []}) }}{%- endif -%}
    {%- set touched_rows = 'select * from (values (' ~ touched | join('), (') ~ ')) as touched (day)' -%}
    {%- set recent -%}
        select min(day) from ({{ touched_rows }}) as touched
        where {{ days_after('day', reach) }} >= (select max(activity_on) from {{ days }})
    {%- endset -%}
    {%- set made = days_of(
        'with touched as (' ~ touched_rows ~ '), ahead as (select day, ' ~ numbers_to(reach) ~ ' as later from touched),'
        ~ ' recent as (select coalesce((' ~ recent ~ "), date '9999-01-01') as since),"
        ~ ' moved as (select people.user_id, case when ' ~ not_taken_in(built, 'people.segment_known_at')
        ~ ' then people.first_active_on else people.signed_up_on end as since from ' ~ people ~ ' as people cross join recent'
        ~ ' where (' ~ not_taken_in(built, 'people.sign_up_known_at') ~ ' and people.signed_up_on < recent.since)'
        ~ ' or (' ~ not_taken_in(built, 'people.segment_known_at') ~ ' and people.first_active_on < recent.since)),'
        ~ ' changed as (select user_id, activity_on from ' ~ ref('int_people__known_days') ~ ' where received_events > ' ~ received_by(built)
        ~ ' and ' ~ days_after('activity_on', reach) ~ ' < (select max(activity_on) from ' ~ days ~ ')),'
        ~ ' once_new as (select changed.user_id, changed.activity_on from changed inner join ' ~ people ~ ' as people'
        ~ ' on changed.user_id = people.user_id left join changed as first_days'
        ~ ' on people.user_id = first_days.user_id and people.first_active_on = first_days.activity_on'
        ~ ' where people.first_active_on >= changed.activity_on or first_days.user_id is not null)'
        ~ ' select ' ~ days_after('day', 'later') ~ ' as day from ahead where ' ~ days_after('day', 'later')
        ~ ' <= (select max(activity_on) from ' ~ days ~ ')'
        ~ ' union select day from touched'
        ~ ' union select days.activity_on from ' ~ days ~ ' as days inner join moved on days.user_id = moved.user_id'
        ~ ' where days.activity_on >= moved.since'
        ~ ' union select min(days.activity_on) from ' ~ days ~ ' as days inner join once_new on days.user_id = once_new.user_id'
        ~ ' where days.activity_on > once_new.activity_on group by once_new.user_id, once_new.activity_on order by 1'
    ) -%}
    {%- set read = days_of(
        'with made as (select * from (values (' ~ made | join('), (') ~ ')) as made (day)), behind as (select day, '
        ~ numbers_to(reach) ~ ' as earlier from made) select distinct ' ~ days_after('day', '-earlier') ~ ' as day from behind order by 1'
    ) -%}
    {{ return({'made': made, 'read': read}) }}
{% endmacro %}
