from __future__ import annotations

import pytest
from medssl.pace import Pace


def test_before_anything_is_done_nothing_is_promised() -> None:
    assert Pace(3).seconds_for(10) is None


def test_the_last_things_say_how_long_the_rest_takes() -> None:
    moments = iter([0.0, 0.1, 0.2, 0.3, 2.3, 4.3, 6.3])  # three are quick, three are not
    pace = Pace(3, lambda: next(moments))
    for _ in range(3):
        pace.count()
    assert pace.seconds_for(10) == pytest.approx(1.0)
    for _ in range(3):
        pace.count()
    assert pace.seconds_for(10) == pytest.approx(20.0)
    assert pace.seconds_for(0) == 0
