"""The receiver's OpenAPI against generated requests, over real HTTP: whatever comes, an announced answer, and never a crash."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from orchestration.edges.clock import FixedClock
from orchestration.serve.app import receiver_app
from orchestration.serve.configuration import read_configuration
from tests.fakes.senders import SECRETS, TOPIC
from tests.serve.conftest import NOW


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The document of a running receiver, bound to its address."""
    folder: Path = tmp_path_factory.mktemp("receiver")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**SECRETS, "LOOP_SES_TOPIC_ARN": TOPIC}.items():
            patch.setenv(name, value)
        app = receiver_app(folder, read_configuration(), FixedClock(NOW))
    server = uvicorn.Server(uvicorn.Config(app, port=0, access_log=False, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    found = schemathesis.openapi.from_dict(app.openapi())
    found.config.update(base_url=f"http://127.0.0.1:{port}")
    yield found
    server.should_exit = True
    thread.join()


@pytest.mark.parametrize("number", range(20))
def test_every_request_gets_an_announced_answer(schema: Any, number: int) -> None:
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) <= 20, "more operations than this test walks through"
    if number >= len(operations):
        return

    @given(case=operations[number].as_strategy())
    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
    def judged(case: Any) -> None:
        # A receiver of events takes bad data (to label it) and turns unsigned data away, whatever the shape of either.
        case.call_and_validate(excluded_checks=[negative_data_rejection, positive_data_acceptance])

    judged()
