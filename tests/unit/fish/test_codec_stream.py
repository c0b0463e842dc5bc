"""Which streams share a batch, and where their state goes."""

import pytest
import torch

from june_tts.fish.codec_stream import Carry, Layout, together

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("frames", "overhead", "groups"),
    [
        ([], 2, []),
        ([4], 2, [[0]]),
        ([4, 4, 4], 2, [[0, 1, 2]]),
        ([1, 20, 1, 20], 2, [[1, 3], [0, 2]]),
        ([3, 4, 4], 2, [[0, 1, 2]]),
        ([1, 20, 1, 20], 128, [[0, 2, 1, 3]]),
    ],
)
def test_streams_share_a_batch_where_padding_costs_less_than_another(
    frames: list[int], overhead: int, groups: list[list[int]]
) -> None:
    assert together(frames, overhead) == groups


def test_each_row_keeps_the_rows_that_end_where_its_own_frames_end() -> None:
    layout = Layout()
    layout.add(2, 3, 1)
    slot = layout.add(4, 1, 2)
    old = torch.arange(2.0 * layout.size).view(2, -1)
    before = old.clone()
    carry = Carry(old, [0, 0], [1, 3])
    window = carry.open(slot, 6)
    assert window[:, :4, 0].tolist() == [[6, 7, 8, 9], [16, 17, 18, 19]]
    window[:, 4:, 0] = torch.tensor([[100, 101, -1, -1, -1, -1], [200, 201, 202, 203, 204, 205]])
    carry.keep(slot, window)
    assert carry.next[:, 6:].tolist() == [[8, 9, 100, 101], [202, 203, 204, 205]]
    assert torch.equal(old, before)
