-- One row per program, metric, experiment, segment, look (cycle) and subject (an arm, or all arms of a role) of an experiment that went
-- out in several batches: its sums so far, with every person weighted so that people who got an arm because it looked good do not flatter it.
--
-- Chances adapt between batches, never inside one. Inside a batch the arms are an ordinary randomised experiment; across batches an arm's
-- plain mean is biased (an arm that was unlucky early is given up before luck evens out) and mixes days in proportions of its own. So each
-- batch is a stratum: the arm's mean in it stands for everybody in it, whatever the arm's chance was. This is inverse-probability
-- weighting with the counts in place of the chances (Hajek). Weights know nothing of outcomes of their own batch, so each stratum's mean
-- is unbiased given the past. All weights are scaled so that n is the number of people an unweighted arm would need for the same variance
-- (Kish's effective sample size, with the variance of each batch): what reads n, sum_y and sum_y2 needs no other formula.

with

statistics as (
    select * from {{ ref('experiment_statistics') }}
),

roles as (
    select distinct
        program,
        experiment_id,
        segment,
        creative_id,
        role
    from {{ ref('int_experiments__allocations') }}
    where batches > 1
),

-- A role is more than the mean of its arms: which of them got how many is part of what it is worth.
subjects as (
    select
        program,
        experiment_id,
        segment,
        creative_id,
        'arm' as level,
        creative_id as subject
    from roles
    union all
    select
        program,
        experiment_id,
        segment,
        creative_id,
        'role' as level,
        role as subject
    from roles
),

{% set sums = ['n', 'sum_y', 'sum_y2', 'sum_x', 'sum_x2', 'sum_xy', 'n_exposed', 'sum_y_exposed'] %}

increments as (
    select
        statistics.program,
        statistics.metric,
        statistics.experiment_id,
        statistics.segment,
        statistics.batch,
        statistics.cycle,
        subjects.level,
        subjects.subject,
        {% for name in sums %}
        {{ whole_total('statistics.' ~ name) }} as {{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from statistics
    inner join subjects
        on
            statistics.program = subjects.program
            and statistics.experiment_id = subjects.experiment_id
            and statistics.segment = subjects.segment
            and statistics.creative_id = subjects.creative_id
    group by
        statistics.program, statistics.metric, statistics.experiment_id, statistics.segment, statistics.batch, statistics.cycle,
        subjects.level, subjects.subject
),

looks as (
    select distinct program, metric, experiment_id, cycle as look from increments
),

-- What each subject had in each batch by each look.
strata as (
    select
        increments.program,
        increments.metric,
        increments.experiment_id,
        increments.segment,
        looks.look,
        increments.level,
        increments.subject,
        increments.batch,
        {% for name in sums %}
        {{ whole_total('increments.' ~ name) }} as {{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from increments
    inner join looks
        on
            increments.program = looks.program
            and increments.metric = looks.metric
            and increments.experiment_id = looks.experiment_id
            and increments.cycle <= looks.look
    group by
        increments.program, increments.metric, increments.experiment_id, increments.segment, looks.look, increments.level,
        increments.subject, increments.batch
),

-- Everybody who was sent something in the batch: what the stratum stands for, the same for every subject.
batches as (
    select
        program,
        metric,
        experiment_id,
        segment,
        look,
        batch,
        {{ exact_total('n') }} as people,
        {{ exact_total('sum_y') }} as batch_sum_y,
        {{ exact_total('sum_y2') }} as batch_sum_y2
    from strata
    where level = 'arm' and subject <> 'holdout'
    group by program, metric, experiment_id, segment, look, batch
),

counted as (
    select
        program,
        metric,
        experiment_id,
        segment,
        look,
        count(*) as batches
    from batches
    group by program, metric, experiment_id, segment, look
),

-- Totals over the batches in which the subject has anybody.
shares as (
    select
        strata.*,
        batches.people,
        batches.batch_sum_y2 / batches.people - power(batches.batch_sum_y / batches.people, 2) as batch_variance,
        cast({{ exact_sum('batches.people') }} over of_subject as double) as people_total,
        cast({{ exact_sum('batches.batch_sum_y') }} over of_subject as double) as total_sum_y,
        cast({{ exact_sum('batches.batch_sum_y2') }} over of_subject as double) as total_sum_y2,
        count(*) over of_subject as own_batches
    from strata
    inner join batches
        on
            strata.program = batches.program
            and strata.metric = batches.metric
            and strata.experiment_id = batches.experiment_id
            and strata.segment = batches.segment
            and strata.look = batches.look
            and strata.batch = batches.batch
    where strata.n > 0
    window of_subject as (
        partition by
            strata.program, strata.metric, strata.experiment_id, strata.segment, strata.look, strata.level, strata.subject
    )
),

-- How much people of the batch vary, over how much everybody does; all arms together, as one arm's few people cannot tell.
relative as (
    select
        *,
        case
            when batch_variance > 0
                then batch_variance / (total_sum_y2 / people_total - power(total_sum_y / people_total, 2))
            else 1.0
        end as relative_variance
    from shares
),

-- Variance of the subject's weighted mean, times people_total squared, over the variance of one person.
spreads as (
    select
        *,
        cast({{ exact_sum('relative_variance * people * people / n') }} over of_subject as double) as spread
    from relative
    window of_subject as (partition by program, metric, experiment_id, segment, look, level, subject)
),

weighted as (
    select
        *,
        people_total * people / (n * spread) as weight
    from spreads
)

select
    weighted.program,
    weighted.metric,
    weighted.experiment_id,
    weighted.segment,
    weighted.level,
    weighted.subject,
    weighted.look as cycle,
    max(weighted.own_batches) = max(counted.batches) as is_in_every_batch,
    {% for name in sums %}
    {{ whole_total('weighted.weight * weighted.' ~ name) }} as {{ name }},
    {% endfor %}
    {{ exact_total('weighted.n') }} as people
from weighted
inner join counted
    on
        weighted.program = counted.program
        and weighted.metric = counted.metric
        and weighted.experiment_id = counted.experiment_id
        and weighted.segment = counted.segment
        and weighted.look = counted.look
group by
    weighted.program, weighted.metric, weighted.experiment_id, weighted.segment, weighted.level, weighted.subject, weighted.look
