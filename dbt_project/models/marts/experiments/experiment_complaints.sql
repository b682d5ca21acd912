-- One row per mail experiment of the last month_days and creative: who was reached and who called it spam, over all segments. A creative
-- over the policy's complaint_rate_stop is stopped at once: no later batch gets it, and of its messages no other one leaves.
--
-- A hard limit is touched, not proved: nobody waits until an interval lies above it, because the mailbox providers do not wait either. What
-- keeps chance out is a least number of people: one complaint among ten mails is one person, and so is the second. From
-- complaint_stop_people (3) on the rate itself decides. Three complaints before the three thousandth person come by chance alone to 2 % of
-- creatives whose rate is a fifth of the limit, and to one in a hundred thousand of those whose rate is a hundredth of it.

with

arms as (
    select distinct
        program,
        experiment_id,
        creative_id,
        role,
        launched_in_cycle,
        starts_at
    from {{ ref('stg_ledger__arms') }}
    where role <> 'holdout'
),

programs as (
    select * from {{ ref('stg_ledger__programs') }} where coalesce(channel, 'email') = 'email'
),

looks as (
    select
        program,
        max(as_of) as as_of
    from {{ ref('stg_ledger__cycles') }}
    group by program
),

policy as (
    select * from {{ ref('int_policy') }}
),

assignments as (
    select * from {{ ref('stg_ledger__assignments') }}
),

sends as (
    select * from {{ ref('stg_ledger__sends') }} where not is_dry_run
),

journal as (
    select
        *,
        row_number() over (partition by send_id order by occurred_at desc, sequence desc) as from_the_last
    from {{ ref('stg_ledger__send_events') }}
),

recent as (
    select arms.*
    from arms
    inner join programs on arms.program = programs.program
    left join looks on arms.program = looks.program
    where looks.as_of is null or arms.starts_at > {{ time_after_days('looks.as_of', '-' ~ policy('month_days')) }}
),

events as (
    select * from {{ ref('stg_events__events') }}
    where
        event_name in ('Email Delivered', 'Email Marked as Spam')
        and is_human
        and is_known_version
        and user_id is not null
        and ingested_at >= (select min(starts_at) from recent)
),

experiments as (
    select distinct experiment_id from recent
),

people as (
    select
        recent.program,
        recent.experiment_id,
        recent.creative_id,
        assignments.user_id,
        assignments.assigned_at
    from recent
    inner join assignments on recent.experiment_id = assignments.experiment_id and recent.creative_id = assignments.creative_id
),

delivered as (
    select distinct
        experiment_id,
        user_id
    from events
    where event_name = 'Email Delivered' and experiment_id is not null
),

-- A complaint that names no experiment is about the last mail that the person had been dealt.
complained as (
    select
        people.experiment_id,
        people.user_id,
        row_number() over (
            partition by events.source, events.event_id order by people.assigned_at desc, people.experiment_id
        ) as from_the_last
    from events
    inner join people
        on
            events.user_id = people.user_id
            and (
                events.experiment_id = people.experiment_id
                or (events.experiment_id is null and events.occurred_at >= people.assigned_at)
            )
    where events.event_name = 'Email Marked as Spam'
),

complainers as (
    select distinct
        experiment_id,
        user_id
    from complained
    where from_the_last = 1
),

-- What was handed over as a file counts as sent; what a sender of the loop keeps waiting does not.
sent as (
    select distinct
        sends.experiment_id,
        sends.user_id
    from sends
    inner join experiments on sends.experiment_id = experiments.experiment_id
    left join journal on sends.send_id = journal.send_id and journal.from_the_last = 1
    where journal.standing is null or journal.standing in ('sent', 'unknown')
),

reported as (
    select distinct experiment_id from delivered
),

counted as (
    select
        recent.program,
        recent.experiment_id,
        recent.creative_id,
        recent.role,
        recent.launched_in_cycle,
        case when max(reported.experiment_id) is not null then 'delivered' else 'sent' end as counted_by,
        count(
            case
                when complainers.user_id is not null then 1
                when reported.experiment_id is not null and delivered.user_id is not null then 1
                when reported.experiment_id is null and sent.user_id is not null then 1
            end
        ) as people,
        count(complainers.user_id) as complaints
    from recent
    left join people on recent.experiment_id = people.experiment_id and recent.creative_id = people.creative_id
    left join reported on recent.experiment_id = reported.experiment_id
    left join delivered on people.experiment_id = delivered.experiment_id and people.user_id = delivered.user_id
    left join sent on people.experiment_id = sent.experiment_id and people.user_id = sent.user_id
    left join complainers on people.experiment_id = complainers.experiment_id and people.user_id = complainers.user_id
    group by recent.program, recent.experiment_id, recent.creative_id, recent.role, recent.launched_in_cycle
),

judged as (
    select
        counted.*,
        policy.complaint_rate_stop,
        case when counted.people > 0 then counted.complaints / cast(counted.people as double) end as complaint_rate,
        counted.complaints >= policy.complaint_stop_people
        and counted.complaints > policy.complaint_rate_stop * counted.people as is_stopped
    from counted
    inner join policy on counted.program = policy.program
)

select
    program,
    experiment_id,
    creative_id,
    role,
    launched_in_cycle,
    counted_by,
    people,
    complaints,
    complaint_rate,
    case when people = 0 then 'nobody is known to have been reached' end as withheld_reason,
    is_stopped,
    case
        when is_stopped
            then concat(
                cast(complaints as string), ' of ', cast(people as string), ' people called it spam (',
                cast(cast(100 * complaint_rate as decimal(10, 3)) as string), ' %, the limit is ',
                cast(cast(100 * complaint_rate_stop as decimal(10, 3)) as string), ' %)'
            )
    end as stopped_reason
from judged
