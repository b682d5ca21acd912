"""What a program may name as a metric, growth metrics among them."""

from typing import Any

import pytest
from pydantic import ValidationError

from orchestration.programs.definition import Program
from orchestration.programs.metric import Metric

BASE: dict[str, Any] = {"name": "m", "event": "Any Activity", "within_days": 7}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"after_days": 7}, "after_days must be below within_days"),
        ({"value": "steps"}, "go together"),
        ({"event": "Activation Step"}, "go together"),
        ({"at_least": 3}, "at_least needs"),
        ({"at_least": 3, "value": "sum"}, "at_least needs"),
        ({"value": "median"}, "Input should be"),
    ],
)
def test_a_metric_that_counts_nothing_is_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Metric.model_validate(BASE | change)


@pytest.mark.parametrize(
    "change",
    [
        {"after_days": 6},
        {"value": "days", "at_least": 3},
        {"value": "sessions"},
        {"event": "Activation Step", "value": "steps"},
        {"event": "Net Revenue", "value": "sum"},
    ],
)
def test_growth_metrics_are_metrics(change: dict[str, Any]) -> None:
    assert Metric.model_validate(BASE | change).after_days == change.get("after_days", 0)


def test_activation_steps_need_an_activation() -> None:
    steps = {"name": "activated", "event": "Activation Step", "value": "steps", "within_days": 7, "role": "objective"}
    program = {
        "program": "p",
        "description": "d",
        "segments": ["new"],
        "tags": ["question"],
        "baseline": "Hello",
        "first_cycle": "2026-01-05",
        "metrics": [steps],
    }
    with pytest.raises(ValidationError, match="needs activation"):
        Program.model_validate(program)
    assert Program.model_validate(program | {"activation": {"steps": ["Signed Up"]}}).objective.name == "activated"
