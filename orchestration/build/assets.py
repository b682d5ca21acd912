"""The dbt project as Dagster assets, built in this process, and the published copy of its marts."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, dbt_assets
from dagster_dbt.asset_utils import get_subset_selection_for_context
from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage
from google.protobuf.json_format import MessageToDict

from orchestration.build.checking import TAG, guards_evidence, left_out
from orchestration.cadence import ONE_BY_ONE, PARTITIONS
from orchestration.edges.dbt import MANIFEST, DbtProject
from orchestration.edges.publishing import publish
from orchestration.resources import WarehouseResource
from orchestration.settings import read_settings

PROJECT = DbtProject(engine=read_settings().engine)


class Stages(DagsterDbtTranslator):
    """Every model belongs to the build stage; sources keep the key of the asset that writes them."""

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        return "build"

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        if dbt_resource_props["resource_type"] == "source":
            return dg.AssetKey([dbt_resource_props["source_name"], dbt_resource_props["name"]])
        return dg.AssetKey([dbt_resource_props["schema"], dbt_resource_props["name"]])


TRANSLATOR = Stages()
_RESULTS = frozenset({"LogSeedResult", "LogModelResult", "LogTestResult"})


@dbt_assets(
    manifest=MANIFEST,
    dagster_dbt_translator=TRANSLATOR,
    partitions_def=PARTITIONS,
    backfill_policy=ONE_BY_ONE,
    pool="warehouse",
    name="warehouse_models",
)
def warehouse_models(context: dg.AssetExecutionContext, warehouse: WarehouseResource) -> Iterator[Any]:
    """Builds and tests the selected models; every test becomes the result of an asset check."""
    events: list[dict[str, Any]] = []
    checks = context.run.tags.get(TAG, "all")
    everything = context.selected_asset_keys == warehouse_models.keys  # naming each model would cost dbt seconds
    select = [] if everything else _selected(context)
    failure: Exception | None = None

    def keep(event: Any) -> None:
        if event.info.name in _RESULTS:
            events.append(MessageToDict(event, preserving_proto_field_name=True))

    try:
        PROJECT.build(
            warehouse.open(),
            select=select,
            exclude=left_out(checks),
            keep_views=not select,
            watch=keep,
            tell=context.log.info,
        )
    except Exception as error:
        failure = error
    for event in events:
        message = DbtCoreCliEventMessage(raw_event=event, event_history_metadata={})
        yield from message.to_default_asset_events(
            manifest=MANIFEST_CONTENT, dagster_dbt_translator=TRANSLATOR, context=context
        )
    if failure:
        raise failure


def _selected(context: dg.AssetExecutionContext) -> list[str]:
    selection, _ = get_subset_selection_for_context(
        context=context,
        manifest=MANIFEST_CONTENT,
        select=None,
        exclude=None,
        selector=None,
        dagster_dbt_translator=TRANSLATOR,
        current_dbt_indirect_selection_env=None,
    )
    return selection[selection.index("--select") + 1].split() if "--select" in selection else []


def _manifest() -> Mapping[str, Any]:
    import json

    content: Mapping[str, Any] = json.loads(MANIFEST.read_text(encoding="utf-8"))
    return content


MANIFEST_CONTENT = _manifest()


def checks_left_out() -> frozenset[dg.AssetCheckKey]:
    """The asset checks that a build of ``checks="evidence"`` does not evaluate; they are then not planned either."""
    tests = {
        node["name"]
        for node in MANIFEST_CONTENT["nodes"].values()
        if node["resource_type"] == "test" and not guards_evidence(node)
    }
    return frozenset(spec.key for spec in warehouse_models.check_specs if spec.name in tests)


@dg.asset(
    group_name="build",
    key=["published", "marts"],
    deps=[key for key in warehouse_models.keys if key.path[0] == "marts"],
    partitions_def=PARTITIONS,
    backfill_policy=ONE_BY_ONE,
    pool="warehouse",
    kinds={"duckdb", "parquet"},
)
def published_marts(warehouse: WarehouseResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """One row per row of every mart: the read-only copy that BI tools, notebooks and pages read."""
    publication = publish(warehouse.open())
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": sum(publication.rows.values()),
            "folder": dg.MetadataValue.path(str(publication.folder)),
            "rows": dg.MetadataValue.md(
                "| mart | rows |\n| --- | ---: |\n"
                + "\n".join(f"| {mart} | {rows} |" for mart, rows in publication.rows.items())
            ),
        }
    )
