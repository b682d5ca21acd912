"""The command that builds without a cycle: every model on the chosen engine, and the published copy."""

from typing import Annotated

import typer

from orchestration.commands.console import WarehouseOption, err, out, settings_for


def build(
    full_refresh: Annotated[
        bool, typer.Option(help="Make incremental models anew from all of raw, also what experiments have counted.")
    ] = False,
    tests: Annotated[bool, typer.Option(help="Run the data tests too.")] = True,
    warehouse: WarehouseOption = None,
) -> None:
    """Builds and tests every model, on DuckDB or Spark (LOOP_ENGINE), and publishes the marts."""
    settings = settings_for(warehouse)
    from orchestration.build.checking import left_out
    from orchestration.edges.dbt import DbtProject
    from orchestration.edges.publishing import publish
    from orchestration.edges.warehouse import Warehouse
    from orchestration.measure.in_place import require_unchanged

    house = Warehouse(settings.warehouse)
    house.migrate()
    require_unchanged(house)
    exclude = left_out("all") if tests else ("resource_type:unit_test", "resource_type:test")
    with err.status("starting") as status:
        results = DbtProject(engine=settings.engine).build(
            house,
            exclude=exclude,
            full_refresh=full_refresh,
            keep_views=True,
            tell=lambda line: err.print(line, soft_wrap=True),
            progress=status.update,
        )
        status.update("publishing the marts")
        publication = publish(house)
    out.print(
        f"{len(results)} nodes built and tested on {settings.engine} in {sum(node.seconds for node in results):.1f} s, "
        f"{sum(publication.rows.values()):,} rows of {len(publication.rows)} marts published in {publication.folder}",
        soft_wrap=True,
    )
