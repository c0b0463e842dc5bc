"""The shapes of a step on a GPU."""

import pytest

from june_tts.fish.together import _power_of_two, _powers_of_two

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("most", [1, 2, 7, 16, 1000])
def test_every_shape_that_a_step_can_have_is_prepared(most: int) -> None:
    assert set(_powers_of_two(1, most)) == {_power_of_two(least, most) for least in range(1, most + 1)}
