-- One row per program, experiment, creative and tag the creative carries.
-- Tags given with a past experiment win over extracted ones: whoever gave them knew what they meant. A live program's tags are those
-- it steers: the family of its claims stays small, and creatives that differ in an unsteered word can still be twins.

with

live as (
    select distinct
        arms.program,
        arms.experiment_id,
        arms.creative_id,
        tags.tag
    from {{ ref('stg_ledger__arms') }} as arms
    inner join {{ ref('stg_ledger__creative_tags') }} as tags on arms.creative_id = tags.creative_id
    inner join {{ ref('stg_ledger__programs') }} as programs on arms.program = programs.program
    where {{ list_holds(json_list('programs.spec', '$.tags'), 'tags.tag') }}
),

past as (
    select
        results.program,
        results.experiment_id,
        results.creative_id,
        max(coalesce(results.tags, text_tags.tags)) as tags
    from {{ ref('stg_imports__results') }} as results
    left join {{ ref('stg_imports__text_tags') }} as text_tags on results.text = text_tags.text
    group by results.program, results.experiment_id, results.creative_id
),

past_tags as (
    select distinct
        program,
        experiment_id,
        creative_id,
        {{ each_item('tags', 'tag') }}
    from past
),

united as (
    select * from live
    union all
    select * from past_tags
)

select
    *,
    {{ key_of(['program', 'experiment_id', 'creative_id']) }} as creative_key
from united
