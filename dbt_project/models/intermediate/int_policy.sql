-- One row per program: every threshold that its evidence is judged by, the program's own where it names one, else the policy seed's.

with

policy as (
    select * from {{ ref('policy') }}
),

programs as (
    select program from {{ ref('stg_ledger__programs') }}
    union
    select program from {{ source('raw', 'results') }}
),

own as (
    select * from {{ ref('stg_ledger__programs') }}
),

defaults as (
    select
        {% for name in [
            'alpha', 'false_discovery_rate', 'effect_prior_variance', 'robust_rate', 'min_experiments', 'min_creatives_with_tag',
            'min_units_per_arm', 'min_conversions_per_arm', 'planned_units', 'srm_strength', 'srm_threshold', 'srm_alarm_share',
            'srm_alarm_experiments', 'srm_alarm_unhealthy', 'flat_margin', 'min_exposure_gap', 'drift_z', 'trend_prior_sd',
            'contested_factor', 'half_life_cycles', 'max_age_cycles', 'review_after_days', 'redundant_overlap', 'redundant_remainder',
            'max_active_per_segment', 'complaint_rate_stop', 'complaint_stop_people', 'late_grace_days', 'choice_prior_variance',
        ] %}
        cast(max(case when name = '{{ name }}' then value end) as double) as {{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from policy
)

select
    programs.program,
    defaults.alpha,
    defaults.false_discovery_rate,
    defaults.effect_prior_variance,
    defaults.robust_rate,
    coalesce(own.min_experiments, defaults.min_experiments) as min_experiments,
    coalesce(own.min_creatives_with_tag, defaults.min_creatives_with_tag) as min_creatives_with_tag,
    coalesce(own.min_units_per_arm, defaults.min_units_per_arm) as min_units_per_arm,
    coalesce(own.min_conversions_per_arm, defaults.min_conversions_per_arm) as min_conversions_per_arm,
    {{ tuning_constant('defaults.alpha', 'coalesce(own.planned_units, defaults.planned_units)') }} as tuning_constant,
    defaults.srm_strength,
    defaults.srm_threshold,
    defaults.srm_alarm_share,
    defaults.srm_alarm_experiments,
    defaults.srm_alarm_unhealthy,
    defaults.flat_margin,
    defaults.min_exposure_gap,
    defaults.drift_z,
    defaults.trend_prior_sd,
    defaults.contested_factor,
    defaults.half_life_cycles,
    defaults.max_age_cycles,
    defaults.review_after_days,
    defaults.redundant_overlap,
    defaults.redundant_remainder,
    defaults.max_active_per_segment,
    defaults.complaint_rate_stop,
    defaults.complaint_stop_people,
    defaults.choice_prior_variance,
    cast(defaults.late_grace_days as integer) as late_grace_days
from programs
cross join defaults
left join own on programs.program = own.program
