{# Events that a program's activation takes as its steps, as text literals; none before the table of them is there. #}
{% macro named_steps() %}
    {%- set steps, names = ref('int_people__activation_steps'), [] -%}
    {%- if execute and load_relation(steps) is not none -%}
        {%- for row in run_query('select distinct event_name from ' ~ steps ~ ' order by event_name').rows -%}
            {%- do names.append(text_or_null(row[0])) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(names) }}
{% endmacro %}

{# Steps of which a model of moments holds no event, as text literals: named for the first time, or never taken. None in a full build. #}
{% macro unread_steps(built) %}
    {%- set steps, names = named_steps(), [] -%}
    {%- if execute and is_incremental() -%}
        {%- for name in steps -%}
            {%- if not run_query('select 1 from ' ~ built ~ ' where event_name = ' ~ name ~ ' limit 1').rows -%}
                {%- do names.append(name) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(names) }}
{% endmacro %}

{#
    Predicate on rows of a model of moments that no step asks for any more. They go, because no more are added: named again, the step is read
    from all of history.

    lasting   names of events that stay whatever the steps are
#}
{% macro steps_not_needed(lasting) %}
    {%- set names = named_steps() -%}
    {%- for name in lasting -%}{%- do names.append(text_or_null(name)) -%}{%- endfor -%}
    {{ return('event_name not in (' ~ names | join(', ') ~ ')') }}
{% endmacro %}

{# Predicate on rows of int_people__activations of programs that have no such activation now: what follows them is not told them any more. #}
{% macro is_no_longer_defined() %}
    {%- set steps = ref('int_people__activation_steps') -%}
    {%- set defined -%}
        select concat(program, '|', within_days, {{ names_of_steps('steps') }}) as definition
        from {{ steps }} as steps
        group by program, within_days
    {%- endset -%}
    {{ return("concat(program, '|', within_days, step_names) not in (" ~ defined ~ ')') }}
{% endmacro %}
