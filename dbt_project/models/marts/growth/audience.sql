-- One row per person who may be assigned to an experiment: known segment, consent given, not unsubscribed.

select
    user_id,
    segment,
    timezone,
    is_subscribed
from {{ ref('int_people') }}
where is_subscribed and segment is not null
