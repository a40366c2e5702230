"""What tuning writes down, and what pages quote of it."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

tune: Any = importlib.import_module("tune")


def test_every_learner_names_the_model_it_was_tuned_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tuning.json"
    path.write_text("{}")
    found = {"settings": [{"area": 0.3704}, {"area": 0.2}], "steps": 10}
    monkeypatch.setattr(tune, "RESULTS", path)
    monkeypatch.setattr(tune, "tune", lambda *_: found)
    monkeypatch.setattr(tune.written, "digest", lambda name: f"digest of {name}")
    arguments = ["tune.py", "frozen_lake", "--only", "ppo", "--only", "kl_ppo"]
    monkeypatch.setattr(sys, "argv", arguments)
    tune.main()
    report = json.loads(path.read_text())
    made = {learner: own["made"]["model"] for learner, own in report["frozen_lake"].items()}
    assert made == {"ppo": "none", "kl_ppo": {"embedded": "digest of embedded"}}
    assert tune.numbers(report)["frozen_lake.ppo.best"] == ".37"
