"""What a panel can offer for learning comes from the engine."""

from __future__ import annotations

import pytest
from medssl.client import EngineError
from medssl.jobs import REQUEST
from medssl.jobs.effort import EFFORT_S
from medssl.templates import list_templates
from service_engine import Engine


def test_every_effort_gives_settings_that_a_job_takes(engine: Engine) -> None:
    options = engine.client.options()
    assert [effort.name for effort in options.efforts] == list(EFFORT_S)
    for effort in options.efforts:
        for method in options.methods:
            for settings in (effort.train, effort.refine):
                REQUEST.validate_python({"kind": "train", "settings": {**settings, "method": method}})
    assert options.method in options.methods
    assert options.pretext in options.pretexts
    assert options.formats[0] == "seg.nrrd"


def test_refining_takes_less_time_and_smaller_steps(engine: Engine) -> None:
    for effort in engine.client.options().efforts:
        assert effort.refine["seconds"] < effort.train["seconds"]
        assert effort.refine["learning_rate"] < effort.train["learning_rate"]


def test_a_method_that_the_engine_does_not_have_is_refused(engine: Engine) -> None:
    project = engine.new_project()
    settings = {**engine.client.options().efforts[0].train, "method": "magic"}
    with pytest.raises(EngineError, match="method"):
        engine.client.submit(project.key, {"kind": "train", "settings": settings})


def test_the_label_schemas_to_begin_with_are_offered(engine: Engine) -> None:
    found = engine.client.connection.get("/v1/templates", list)
    assert [each["name"] for each in found] == [template.name for template in list_templates()]
    segments = next(each for each in found if each["name"] == "left-atrium")["label_schema"]["segments"]
    assert segments[0]["terminology"]["type"]["value"] == "82471001"
