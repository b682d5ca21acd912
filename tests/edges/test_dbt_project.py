"""The parsed dbt project, shared by processes that begin at once."""

import subprocess
import sys
from pathlib import Path

import pytest

_LOAD = """
import sys
from pathlib import Path
from orchestration.edges.dbt import DbtProject
project = DbtProject(target=Path(sys.argv[1]))
project.load()
print(project._manifest.metadata.invocation_id, len(project._manifest.nodes))
"""


@pytest.mark.slow
def test_processes_that_begin_at_once_parse_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _LOAD, str(tmp_path / "target")]
    begun = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    ended = [process.communicate(timeout=300) for process in begun]
    assert [process.returncode for process in begun] == [0, 0, 0], [fault for _, fault in ended]
    assert len({told for told, _ in ended}) == 1
