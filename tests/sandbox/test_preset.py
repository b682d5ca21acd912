from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.errors import Refusal
from orchestration.sandbox.preset import FOLDER, read_preset


@pytest.mark.parametrize("name", ["newsletter", "reference"])
def test_own_presets_are_valid(name: str) -> None:
    assert read_preset(name).preset == name


def test_reference_is_the_world_of_the_benchmark() -> None:
    preset = read_preset("reference")
    effects = sorted(value for value in preset.effects.values() if isinstance(value, float | int))
    assert effects == [-0.15, 0, 0, 0, 0, 0.05, 0.1, 0.2]
    assert sum(segment.people for segment in preset.segments.values()) == 12_000
    assert {segment.click_rate for segment in preset.segments.values()} == {0.03}
    assert (preset.noise.creative, preset.noise.send, preset.noise.novelty_lost) == (0.1, 0.2, 0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"colour": "red"}, "colour"),
        ({"noise": {"creative": -1, "send": 0, "person": 0, "novelty_lost": 0}}, "noise.creative"),
        ({"effects": {"number": {"everyone": 0.1}}}, "segment everyone is not defined"),
        ({"effects": {"number": -1}}, "leaves no clicks"),
        ({"effects": {"number": float("nan")}}, "finite"),
        ({"growth": {"segment": "fans", "per_week": 1, "invites_per_week": 0, "invite_accepted": 0}}, "segment fans"),
        ({"first_cycle": "soon"}, "first_cycle"),
        ({"segments": {}}, "segments"),
    ],
)
def test_unfit_presets_are_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    content = yaml.safe_load((FOLDER / "reference.yaml").read_text(encoding="utf-8"))
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content | change), encoding="utf-8")
    with pytest.raises(Refusal, match=said):
        read_preset(str(path))


@pytest.mark.parametrize("text", ["a: [", "just words", ""])
def test_files_that_hold_no_preset_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Refusal, match=str(path)):
        read_preset(str(path))


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(Refusal, match="Choose one of newsletter, reference"):
        read_preset("moon")
