-- One row per program, metric, experiment and segment of a closed experiment that may be believed: when it entered the evidence, and the
-- thresholds its arms are held to.

with

subjects as (
    select distinct
        program,
        metric,
        experiment_id,
        segment
    from {{ ref('experiment_statistics') }}
),

closings as (
    select * from {{ ref('int_experiments__closings') }}
),

health as (
    select * from {{ ref('experiment_health') }}
),

policy as (
    select * from {{ ref('int_policy') }}
),

-- Health as of the cycle of entry: the last look at or before it.
believed as (
    select
        closings.program,
        closings.metric,
        closings.experiment_id,
        closings.entered_in_cycle,
        max_by(health.status, health.cycle) as status
    from closings
    inner join health
        on
            closings.program = health.program
            and closings.experiment_id = health.experiment_id
            and health.cycle <= closings.entered_in_cycle
    group by closings.program, closings.metric, closings.experiment_id, closings.entered_in_cycle
)

select
    subjects.program,
    subjects.metric,
    subjects.experiment_id,
    subjects.segment,
    believed.entered_in_cycle,
    policy.min_units_per_arm,
    policy.min_conversions_per_arm,
    {{ key_of(['subjects.program', 'subjects.metric', 'subjects.experiment_id', 'subjects.segment']) }} as comparison_key,
    {{ key_of(['subjects.program', 'subjects.metric', 'subjects.experiment_id']) }} as replicate_key
from subjects
inner join believed
    on
        subjects.program = believed.program
        and subjects.metric = believed.metric
        and subjects.experiment_id = believed.experiment_id
        and believed.status = 'healthy'
inner join policy on subjects.program = policy.program
