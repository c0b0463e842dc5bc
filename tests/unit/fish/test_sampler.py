"""Drawing: the reference's rules, each request's own, and noise that no batch changes."""

import pytest
import torch
from torch import Tensor

from june_tts.fish import sampler_cpu
from june_tts.fish.sampler import draw, draw_on_device, gumbel, noise_keys, penalised
from june_tts.fish.sampler_cpu import CANDIDATES, SORTED_AT_ONCE
from june_tts.fish.sampling_rules import Rules
from june_tts.fish.sequence import SamplingParams

pytestmark = pytest.mark.unit

CPU = torch.device("cpu")


def rules_of(*params: SamplingParams) -> Rules:
    rules = Rules.empty(len(params), CPU)
    for row, given in enumerate(params):
        rules.put(row, given)
    return rules


def drawn(logits: Tensor, params: SamplingParams, times: int) -> Tensor:
    """How often each entry of one row of logits is drawn, as a share."""
    rules = rules_of(*[params] * times)
    found = draw(logits.expand(times, -1), rules, noise_keys(rules.seed, torch.arange(times), 1)[0])
    return torch.bincount(found, minlength=logits.shape[0]) / times


def kept_by_top_p(logits: Tensor, top_p: float, temperature: float) -> Tensor:
    """By the reference's order: top-p first, without the entry that crosses it, then temperature."""
    order = logits.argsort(descending=True)
    drop = logits.softmax(0)[order].cumsum(0) > torch.tensor(top_p).bfloat16().float()
    drop[0] = False
    kept = logits.clone()
    kept[order[drop]] = -torch.inf
    return (kept / torch.tensor(temperature).bfloat16().float()).softmax(0)


@pytest.mark.parametrize("size", [12, SORTED_AT_ONCE + 1])
@pytest.mark.parametrize(("top_p", "temperature"), [(0.8, 0.8), (1.0, 1.3), (0.5, 0.4)])
def test_shares_are_the_probabilities(size: int, top_p: float, temperature: float) -> None:
    logits = torch.randn(size, generator=torch.Generator().manual_seed(1)) * 2
    if size > CANDIDATES:
        logits[12:] -= 9  # a head of a few likely entries among many
    params = SamplingParams(top_p=top_p, temperature=temperature)
    expected = kept_by_top_p(logits, top_p, temperature)
    shares = drawn(logits, params, 20_000)
    assert (shares - expected).abs().max() < 0.015
    if top_p < 1:
        assert shares[expected == 0].sum() == 0


def test_a_flat_row_is_sorted_whole() -> None:
    logits = torch.zeros(SORTED_AT_ONCE + 1)
    shares = drawn(logits, SamplingParams(top_p=0.9, temperature=1.0), 4000)
    assert (shares > 0).sum() > 2 * CANDIDATES  # beyond the likeliest that are looked at first


def test_top_k_leaves_so_many() -> None:
    logits = torch.arange(20.0) / 10
    shares = drawn(logits, SamplingParams(top_p=1.0, top_k=3, temperature=1.0), 2000)
    assert shares.nonzero().flatten().tolist() == [17, 18, 19]


def test_greedy_and_drawn_rows_share_a_batch() -> None:
    logits = torch.randn(2, 50, generator=torch.Generator().manual_seed(3))
    greedy, free = SamplingParams(greedy=True), SamplingParams(top_p=1.0, temperature=2.0)
    rules = rules_of(greedy, free)
    keys = [noise_keys(rules.seed, torch.tensor([frame, frame]), 1)[0] for frame in range(50)]
    found = {int(draw(logits, rules, key)[0]) for key in keys}
    assert found == {int(logits[0].argmax())}


def test_a_row_is_drawn_the_same_alone_and_in_any_place() -> None:
    logits = torch.randn(8, 2000, generator=torch.Generator().manual_seed(5)) * 3
    params = [SamplingParams(seed=seed, top_k=seed % 3, temperature=0.5 + seed / 9) for seed in range(8)]
    frames = torch.arange(8) * 7

    def drawn_rows(rows: slice) -> Tensor:
        rules = rules_of(*params[rows])
        return draw(logits[rows], rules, noise_keys(rules.seed, frames[rows], 5)[4])

    together = drawn_rows(slice(8))
    for row in range(8):
        alone = drawn_rows(slice(row, row + 1))
        assert int(alone) == int(together[row])


def test_noise_depends_on_seed_frame_codebook_and_candidate_and_on_nothing_else() -> None:
    ids = torch.arange(4000).unsqueeze(0)

    def noise(seed: int, frame: int, codebook: int) -> Tensor:
        return gumbel(noise_keys(torch.tensor([seed]), torch.tensor([frame]), 10)[codebook], ids)[0]

    base = noise(1, 2, 3)
    torch.testing.assert_close(noise(1, 2, 3), base, rtol=0, atol=0)
    for other in (noise(2, 2, 3), noise(1, 3, 3), noise(1, 2, 4), noise((1 << 63) - 1, 2, 3)):
        together = torch.stack([base, other])
        assert torch.corrcoef(together)[0, 1].abs() < 0.08
        assert (other.mean() - 0.5772).abs() < 0.1  # Euler's constant, the mean of the distribution
        assert (other.std() - 1.2825).abs() < 0.1  # pi / sqrt(6)
    assert torch.isfinite(base).all()


def test_the_noise_of_the_cpu_is_that_of_the_gpu() -> None:
    key = torch.tensor([-(2**63), -1, 0, 2**63 - 1, 987654321987654321])
    ids = torch.arange(1000).expand(5, -1)
    ours = torch.from_numpy(sampler_cpu.gumbel(key.numpy(), ids.numpy()))
    torch.testing.assert_close(ours, gumbel(key, ids), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [1024, SORTED_AT_ONCE + 1])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_cpu_draws_what_a_gpu_would(size: int, dtype: torch.dtype) -> None:
    logits = (torch.randn(64, size, generator=torch.Generator().manual_seed(8)) * 4).to(dtype)
    rules = rules_of(
        *(
            SamplingParams(
                seed=row,
                top_k=row % 5,
                top_p=0.3 + row / 100,
                temperature=0.4 + row / 50,
                greedy=row % 7 == 0,
            )
            for row in range(64)
        )
    )
    key = noise_keys(rules.seed, torch.arange(64), 3)[2]
    assert torch.equal(draw(logits, rules, key), draw_on_device(logits, rules, key))


def test_the_penalty_counts_an_id_once_and_leaves_other_rows() -> None:
    logits = torch.tensor([[2.0, -2.0, 1.0], [2.0, -2.0, 1.0]])
    seen = torch.tensor([[0, 1, 0, 1], [0, 1, 0, 1]])
    made = penalised(logits, seen, torch.tensor([2.0, 2.0]), torch.tensor([True, False]))
    torch.testing.assert_close(made, torch.tensor([[1.0, -4.0, 1.0], [2.0, -2.0, 1.0]]))


def test_parameters_are_rounded_as_the_reference_holds_them() -> None:
    rules = rules_of(SamplingParams(temperature=0.7, top_p=0.8, repetition_penalty=1.1))
    held = (rules.temperature.item(), rules.top_p.item(), rules.penalty.item())
    assert held == (0.69921875, 0.80078125, 1.1015625)
