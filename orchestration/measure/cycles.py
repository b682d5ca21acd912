"""Opens a cycle: programs to the ledger by version, and the look with its as-of time."""

import datetime as dt
from collections.abc import Sequence

from orchestration.edges.warehouse import Warehouse
from orchestration.programs.definition import Program


def open_cycle(warehouse: Warehouse, programs: Sequence[Program], cycle: int, as_of: dt.datetime) -> None:
    """Records the programs' versions and the cycle; what is recorded already stays as it was."""
    for program in programs:
        versions = warehouse.rows(
            "select version, recorded_at from ledger.programs where program = ? order by recorded_at, version",
            [program.program],
        )
        # Two definitions of one instant would have no order.
        recorded_at = max([as_of, *(row["recorded_at"] + dt.timedelta(microseconds=1) for row in versions[-1:])])
        looks = warehouse.rows("select 1 from ledger.cycles where program = ? and cycle = ?", [program.program, cycle])
        warehouse.append(
            {
                "ledger.programs": []
                if versions and versions[-1]["version"] == program.version
                else [
                    {
                        "program": program.program,
                        "version": program.version,
                        "spec": program.canonical_json(),
                        "recorded_at": recorded_at,
                    }
                ],
                "ledger.cycles": []
                if looks
                else [
                    {
                        "program": program.program,
                        "cycle": cycle,
                        "as_of": as_of,
                        "program_version": program.version,
                        "recorded_at": as_of,
                    }
                ],
            }
        )
