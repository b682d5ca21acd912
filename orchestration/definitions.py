"""The only Dagster entry: measure, build, learn, generate, deploy.

The circle is cut in one place: dbt reads ``ledger`` as a source that no asset of the same run produces (dbt_project/models/staging/
_sources.yml). What deploy writes comes back through the world, as events of a later cycle.
"""

import dagster as dg

from orchestration.build.assets import published_marts, warehouse_models
from orchestration.cadence import CADENCE, PARTITIONS
from orchestration.deploy.assets import experiments
from orchestration.generate.assets import creatives
from orchestration.learn.assets import briefs, wording
from orchestration.measure.assets import raw_events, raw_inbox
from orchestration.measure.pulls.assets import (
    CHECKS,
    PULLS,
    arrivals_job,
    arrivals_schedule,
    pulls_job,
    pulls_schedule,
)
from orchestration.resources import ClockResource, ProgramsResource, TurnResource, WarehouseResource
from orchestration.settings import read_settings

SETTINGS = read_settings()
ASSETS = [raw_inbox, raw_events, warehouse_models, published_marts, briefs, wording, creatives, experiments]

cycle_job = dg.define_asset_job(
    "cycle", selection=dg.AssetSelection.assets(*ASSETS), partitions_def=PARTITIONS, executor_def=dg.in_process_executor
)

# Stopped until somebody turns it on: a schedule spends and sends.
cycle_schedule = dg.build_schedule_from_partitioned_job(
    cycle_job,
    name=f"{CADENCE}_cycle",
    hour_of_day=5,
    default_status=dg.DefaultScheduleStatus.STOPPED,
)

defs = dg.Definitions(
    assets=[*ASSETS, *PULLS],
    asset_checks=CHECKS,
    jobs=[cycle_job, pulls_job, arrivals_job],
    schedules=[cycle_schedule, pulls_schedule, arrivals_schedule],
    resources={
        "warehouse": WarehouseResource(folder=str(SETTINGS.warehouse)),
        "turn": TurnResource(folder=str(SETTINGS.warehouse)),
        "clock": ClockResource(),
        "programs": ProgramsResource(folder=str(SETTINGS.programs), cadence=SETTINGS.cadence, seed=SETTINGS.seed),
    },
)
