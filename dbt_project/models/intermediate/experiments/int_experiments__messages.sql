-- One row per experiment and look at which it gained people: where its messages stood by then, as the sender's journal had told.
-- A channel of posts sends a creative once; its message has the digest that the outbox gives it.

with

looks as (
    select distinct
        statistics.program,
        statistics.experiment_id,
        statistics.cycle,
        cycles.as_of
    from {{ ref('experiment_statistics') }} as statistics
    left join {{ ref('stg_ledger__cycles') }} as cycles
        on statistics.program = cycles.program and statistics.cycle = cycles.cycle
),

sends as (
    select * from {{ ref('stg_ledger__sends') }} where not is_dry_run and creative_id <> 'holdout'
),

arms as (
    select * from {{ ref('stg_ledger__arms') }} where role <> 'holdout'
),

programs as (
    select * from {{ ref('stg_ledger__programs') }}
),

events as (
    select
        *,
        lead(recorded_at) over (partition by send_id order by occurred_at, sequence) as next_recorded_at
    from {{ ref('stg_ledger__send_events') }}
),

posts as (
    select distinct
        {{ sha256_of("concat(arms.experiment_id, '/', arms.creative_id, '/', arms.segment)") }} as send_id,
        arms.program,
        arms.experiment_id,
        arms.starts_at as scheduled_at
    from arms
    inner join programs on arms.program = programs.program
    where
        programs.channel in ('social', 'paid')
        and arms.experiment_id in (select sends.experiment_id from sends)
),

-- A past experiment of another program may bear the id of a launched one: it has none of its messages.
launched as (
    select distinct program, experiment_id from arms
),

messages as (
    select
        sends.send_id,
        launched.program,
        sends.experiment_id,
        sends.scheduled_at
    from sends
    inner join launched on sends.experiment_id = launched.experiment_id
    where sends.channel not in ('social', 'paid')
    union all
    select
        send_id,
        program,
        experiment_id,
        scheduled_at
    from posts
),

planned as (
    select
        looks.program,
        looks.experiment_id,
        looks.cycle,
        count(messages.send_id) as messages_planned
    from looks
    left join messages
        on
            looks.program = messages.program
            and looks.experiment_id = messages.experiment_id
            and looks.as_of >= messages.scheduled_at
    group by looks.program, looks.experiment_id, looks.cycle
),

stood as (
    select
        looks.program,
        looks.experiment_id,
        looks.cycle,
        count(*) as messages_told,
        count(case when events.standing = 'sent' then 1 end) as messages_sent,
        count(case when events.standing = 'refused' then 1 end) as messages_refused,
        count(case when events.standing = 'held_back' then 1 end) as messages_held_back,
        count(case when events.standing = 'unknown' then 1 end) as messages_unknown,
        count(case when events.standing = 'waiting' then 1 end) as messages_waiting
    from looks
    inner join messages on looks.program = messages.program and looks.experiment_id = messages.experiment_id
    inner join events
        on
            messages.send_id = events.send_id
            and looks.as_of >= events.recorded_at
            and (events.next_recorded_at is null or looks.as_of < events.next_recorded_at)
    group by looks.program, looks.experiment_id, looks.cycle
)

select
    planned.program,
    planned.experiment_id,
    planned.cycle,
    case when launched.experiment_id is not null then planned.messages_planned end as messages_planned,
    stood.messages_sent,
    stood.messages_refused,
    stood.messages_held_back,
    stood.messages_unknown,
    stood.messages_waiting,
    case
        when launched.experiment_id is null then 'past experiment: its file does not say what became of its messages'
        when planned.messages_planned = 0 then 'dry run: nothing was handed over'
        when stood.messages_told is null then 'no sender of the loop had told of them: they were handed over as files, or nothing has left yet'
    end as messages_withheld_reason
from planned
left join launched on planned.program = launched.program and planned.experiment_id = launched.experiment_id
left join stood
    on
        planned.program = stood.program
        and planned.experiment_id = stood.experiment_id
        and planned.cycle = stood.cycle
