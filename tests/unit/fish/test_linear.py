"""Products: packed as dense, invariant ones unchanged by the batch, quantised ones close."""

import pytest
import torch

from june_tts.fish.linear import BLOCK, Dense, Invariant, dense
from june_tts.fish.quantize import GROUP, groupwise, int4, int8

pytestmark = pytest.mark.unit

ROWS, OUT, IN = 5, 128, 192


def weights(dtype: torch.dtype = torch.bfloat16) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(2)
    made = [torch.randn(*shape, generator=random) for shape in ((ROWS, IN), (OUT, IN), (OUT,))]
    x, weight, bias = (tensor.to(dtype) for tensor in made)
    return x, weight, bias


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_packed_weights_give_the_same_product(rows: int) -> None:
    x, weight, bias = weights()
    exact = x[:rows].float() @ weight.float().T + bias.float()
    torch.testing.assert_close(dense(weight, bias)(x[:rows]).float(), exact, atol=0.15, rtol=0.01)


@pytest.mark.parametrize("rows", [1, 3, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_an_invariant_row_is_bit_equal_in_any_batch(rows: int) -> None:
    random = torch.Generator().manual_seed(rows)
    weight = torch.randn(300, 200, generator=random)
    x = torch.randn(rows, 200, generator=random)
    linear = Invariant(Dense(weight))
    together = linear(x)
    for row in range(rows):
        alone = linear(x[row : row + 1])
        torch.testing.assert_close(together[row : row + 1], alone, rtol=0, atol=0)
    torch.testing.assert_close(together, x @ weight.T)


def test_int8_is_within_half_a_step_of_each_row() -> None:
    x, weight, bias = weights()
    step = weight.float().abs().amax(1) / 127
    bound = x.float().abs().sum(1, keepdim=True) * step / 2 + 0.1
    exact = x.float() @ weight.float().T + bias.float()
    assert ((int8(weight, bias)(x).float() - exact).abs() <= bound).all()


def test_int4_uses_the_codes_scales_and_zeros_it_made() -> None:
    x, weight, bias = weights()
    codes, scales = groupwise(weight)
    assert codes.min() == 0 and codes.max() == 15
    scale, zero = (scales[..., part].float().T.unsqueeze(-1) for part in (0, 1))
    restored = ((codes.view(OUT, -1, GROUP) - 8) * scale + zero).flatten(1)
    assert (restored - weight.float()).abs().max() <= scale.max() * 0.6
    exact = x.float() @ restored.T + bias.float()
    torch.testing.assert_close(int4(weight, bias)(x).float(), exact, atol=0.3, rtol=0.02)


def test_what_int4_cannot_group_stays_dense() -> None:
    odd = torch.randn(64, GROUP + 1).bfloat16()
    x = torch.randn(2, GROUP + 1).bfloat16()
    torch.testing.assert_close(int4(odd)(x), dense(odd)(x))
