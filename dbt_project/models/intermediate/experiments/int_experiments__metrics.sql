-- One row per live experiment and metric that its program still names: what counts, by the definition that was in force when the experiment
-- started. A window, a cap or an event that is changed later holds for later experiments: else people would be counted twice, or never. A
-- metric that came later counts by the first definition that has it. What it is for (its role and its margin) is the latest word.

with

experiments as (
    select distinct
        program,
        experiment_id,
        starts_at
    from {{ ref('stg_ledger__arms') }}
),

definitions as (
    select * from {{ ref('stg_ledger__metric_definitions') }}
),

metrics as (
    select * from {{ ref('stg_ledger__metrics') }}
),

numbered as (
    select distinct
        program,
        definition_number,
        recorded_at
    from definitions
),

in_force as (
    select
        experiments.program,
        experiments.experiment_id,
        coalesce(max(case when numbered.recorded_at <= experiments.starts_at then numbered.definition_number end), 0) as definition_number
    from experiments
    inner join numbered on experiments.program = numbered.program
    group by experiments.program, experiments.experiment_id
),

chosen as (
    select
        in_force.experiment_id,
        definitions.*,
        row_number() over (
            partition by in_force.experiment_id, definitions.program, definitions.metric order by definitions.definition_number
        ) as choice
    from in_force
    inner join definitions
        on in_force.program = definitions.program and in_force.definition_number <= definitions.definition_number
)

select
    chosen.program,
    chosen.experiment_id,
    chosen.metric,
    chosen.definition_number,
    chosen.event_name,
    chosen.steps,
    chosen.after_days,
    chosen.within_days,
    chosen.at_least,
    chosen.value_kind,
    chosen.cap,
    metrics.role
from chosen
inner join metrics on chosen.program = metrics.program and chosen.metric = metrics.metric
where chosen.choice = 1
