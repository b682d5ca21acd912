"""dbt, in this process: one parsed manifest, many builds (a subprocess would cost seven seconds each time)."""

import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from orchestration.edges.locks import held
from orchestration.edges.terms import Build, Lineage, Tell, lineages
from orchestration.edges.views import fingerprint, kept_views, remember, standing
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal

if TYPE_CHECKING:
    from orchestration.edges.spark import SparkEngine

PROJECT = Path(__file__).parents[2] / "dbt_project"
MANIFEST = PROJECT / "target" / "manifest.json"
Watcher = Callable[[Any], None]
Engine = Literal["duckdb", "spark"]


@dataclass(frozen=True, slots=True)
class NodeResult:
    """What one node of a build came to.

    Attributes:
        seconds: Engine time of the node, without start-up.
        failures: Rows a test found, or None.
    """

    unique_id: str
    status: str
    seconds: float
    message: str
    failures: int | None


class DbtProject:
    """The dbt project, parsed once a process.

    Args:
        project: Folder with ``dbt_project.yml``.
        target: Folder for what dbt writes; the manifest made by ``make`` lies there.
        engine: Which engine the models are built on; each has a manifest of its own, since dbt parses for one.
    """

    def __init__(self, project: Path = PROJECT, target: Path | None = None, engine: Engine = "duckdb") -> None:
        self.project = project
        self.engine = engine
        self.target = target or project / "target" / ("" if engine == "duckdb" else engine)
        self._manifest: Any = None
        self._lineages: dict[str, Lineage] = {}

    def parse(self) -> Path:
        """Parses the project and writes the manifest; returns its path.

        Raises:
            Refusal: if the project does not parse.
        """
        with self._alone():
            return self._parse()

    def _parse(self) -> Path:
        result = self._invoke(["parse", "--no-partial-parse"], None)
        if not result.success:
            raise Refusal("dbt project", _reason(result), "Mend the model or YAML named above.")
        self._take(result.result)
        return self.target / "manifest.json"

    def load(self) -> None:
        """Takes the parsed project from the last parse, or parses anew where a file has changed since."""
        if self._manifest is not None:
            return
        saved = self.target / "partial_parse.msgpack"
        with self._alone():
            there = saved.exists() and (self.target / "manifest.json").exists()
            if not there or self._newest() > saved.stat().st_mtime:
                self._parse()
                return
            content = saved.read_bytes()
        from dbt.contracts.graph.manifest import Manifest

        self._take(Manifest.from_msgpack(content))

    def _take(self, manifest: Any) -> None:
        self._manifest, self._lineages = manifest, lineages(manifest)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keeps other processes from parsing, and from reading what a parse has written by half (dbt writes its files in place)."""
        self.target.mkdir(parents=True, exist_ok=True)
        (self.target / ".parsing").touch()
        with held(self.target / ".parsing"):
            yield

    def _newest(self) -> float:
        folders = ("models", "semantic_models", "macros", "seeds", "tests")
        files = [file for folder in folders for file in (self.project / folder).rglob("*") if file.is_file()]
        return max(
            file.stat().st_mtime for file in [*files, self.project / "dbt_project.yml", self.project / "profiles.yml"]
        )

    def build(
        self,
        warehouse: Warehouse,
        *,
        select: Sequence[str] = (),
        exclude: Sequence[str] = (),
        command: str = "build",
        full_refresh: bool = False,
        keep_views: bool = False,
        watch: Watcher | None = None,
        tell: Tell | None = None,
        progress: Tell | None = None,
    ) -> list[NodeResult]:
        """Runs ``dbt build`` (or another command) against a warehouse.

        Stored models whose terms have changed are made anew whole (`orchestration/edges/terms.py`).

        On Spark, raw and ledger are brought up to date there before, and what it built is brought back after; a build that fails
        leaves the marts as they were.

        Args:
            select: dbt selectors; empty selects all.
            exclude: dbt selectors of what is left out.
            keep_views: Leave views alone that stand as the project has them (`orchestration/edges/views.py`); heeded where all
                models are built, or no tests are.
            watch: Called with every event dbt emits.
            tell: Told in a line which models are made anew, and why. What it prints must go to stderr: dbt's own stdout is dropped.
            progress: Told of every node as it begins; likewise.

        Raises:
            Refusal: if a model or a test failed; the message names the first ones.
        """
        spark = self._spark(warehouse)
        if spark:
            spark.offer()
        self.load()
        keeps = keep_views and self.engine == "duckdb" and (not select or "resource_type:test" in exclude)
        views = kept_views(self._manifest.nodes) if keeps else {}
        digest = fingerprint(self.project) if views else ""
        if views and not full_refresh:
            exclude = (*exclude, *(name.split(".")[-1] for name in standing(warehouse, digest, views)))
        args = [command, *(["--select", *select] if select else []), *(["--exclude", *exclude] if exclude else [])]
        args += ["--full-refresh"] if full_refresh else []
        args += ["--indirect-selection", "empty"] if views and not select else []  # tests of views left alone run too
        args += ["--no-write-json"]  # nothing reads the run's files, and writing them takes longer than an idle build
        terms = self._terms_of(warehouse, tell)
        with terms.marked():
            watchers = [terms.see, *([watch] if watch else []), *([_begun(progress)] if progress else [])]
            result = self._invoke(args, warehouse, watchers)
        results = [
            NodeResult(
                run.node.unique_id, str(run.status), float(run.execution_time), str(run.message or ""), run.failures
            )
            for run in getattr(result.result, "results", [])
        ]
        written = {run.unique_id for run in results if run.status == "success"}
        remember(warehouse, digest, {view for name, view in views.items() if name in written})
        terms.remember(written)
        failed = [run for run in results if run.status in {"error", "fail", "runtime error"}]
        if failed:
            named = "; ".join(
                f"{run.unique_id.split('.', 2)[2]}: {' '.join(run.message.split())[:600]}" for run in failed[:3]
            )
            raise Refusal(
                f"dbt {command}",
                f"{len(failed)} of {len(results)} nodes failed ({named})",
                "Mend the data or the model.",
            )
        if not result.success:
            raise Refusal(f"dbt {command}", _reason(result), "Run `loop doctor`.")
        if spark:
            spark.bring_back()
        return results

    def foresee(self, warehouse: Warehouse) -> dict[str, str]:
        """Which stored models a build of everything would make anew, by name, and why.

        Raises:
            Refusal: if the project does not parse.
            WarehouseLocked: if another process has the warehouse open.
        """
        self.load()
        return self._terms_of(warehouse).foreseen()

    def _terms_of(self, warehouse: Warehouse, tell: Tell | None = None) -> Build:
        return Build(warehouse, self.engine, self._manifest, self._lineages, self.project, tell or (lambda line: None))

    def _spark(self, warehouse: Warehouse) -> "SparkEngine | None":
        if self.engine == "duckdb":
            return None
        from orchestration.edges.spark import SparkEngine

        return SparkEngine(warehouse)

    def _invoke(self, args: Sequence[str], warehouse: Warehouse | None, watchers: Sequence[Watcher] = ()) -> Any:
        from dbt.cli.main import dbtRunner

        if warehouse is not None:
            os.environ["LOOP_DATABASE"] = str(warehouse.path.resolve())
        os.environ.setdefault("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
        runner = dbtRunner(manifest=self._manifest, callbacks=list(watchers))
        paths = [
            "--project-dir",
            str(self.project),
            "--profiles-dir",
            str(self.project),
            "--target-path",
            str(self.target),
            "--target",
            self.engine,
        ]
        with redirect_stdout(io.StringIO()):
            result = runner.invoke([*args, *paths, "--quiet", "--log-level-file", "none", "--no-use-colors"])
        if self.engine == "duckdb":
            _release()
        if result.exception is not None and not isinstance(result.exception, Exception):
            raise result.exception  # an interruption, which dbt takes for a result
        return result


def _begun(progress: Tell) -> Watcher:
    """Tells which node begins, of how many."""

    def see(event: Any) -> None:
        if event.info.name == "LogStartLine":
            progress(f"{event.data.index} of {event.data.total}: {event.data.node_info.node_name}")

    return see


def _release() -> None:
    """Lets go of the database file: dbt-duckdb keeps its connection for the life of the process."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    if DuckDBConnectionManager._ENV is not None:
        DuckDBConnectionManager._ENV.close()
    DuckDBConnectionManager.close_all_connections()


def _reason(result: Any) -> str:
    return " ".join(str(result.exception or "unknown error").split())[:800]
