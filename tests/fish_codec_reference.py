"""Runs the codec of the published reference, fish-speech 0.1.0, on a file that bench/fish_codec_file.py
wrote.

Its modules and its arithmetic; put together here as its configs/modded_dac_vq.yaml does, which needs no
hydra.
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench.fish_codec_file import SIZES
from numpy.typing import NDArray
from torch import Tensor

from tests.stand_ins import reference_module

_DAC = "fish_speech.models.dac"
POSITIONS = 4096


class ReferenceCodec:
    """float32, on the CPU. `windows`: of the encoder's transformer, and of those around the quantizer."""

    def __init__(self, path: Path, size: str = "full", windows: tuple[int, int] = (512, 128)) -> None:
        state = torch.load(path, mmap=True, weights_only=True)
        with warnings.catch_warnings(), torch.device("meta"):
            warnings.simplefilter("ignore", FutureWarning)  # torch has deprecated one of its two weight norms
            self._model = _model(size, windows)
        self._model.encoder.block[4].block[5].window_size = windows[0]
        left = self._model.load_state_dict(state, strict=False, assign=True)
        tables = [name for name in left.missing_keys if not name.endswith(("freqs_cis", "causal_mask"))]
        if tables or left.unexpected_keys:
            raise ValueError(f"missing {tables}, unexpected {left.unexpected_keys}")
        for name, module in self._model.named_modules():
            if name.endswith(("pre_module", "post_module", "block.4.block.5")):
                turn = reference_module(f"{_DAC}.modded_dac").precompute_freqs_cis
                module.freqs_cis = turn(POSITIONS, 64, 10000)
        self._model.eval()

    @torch.inference_mode()
    def decode(self, codes: NDArray[np.int32]) -> NDArray[np.float32]:
        """Codes (10, frames) to samples (n,)."""
        return _numbers(self._model.decode(torch.from_numpy(codes)[None], torch.tensor([codes.shape[1]]))[0])

    @torch.inference_mode()
    def encode(self, samples: NDArray[np.float32]) -> NDArray[np.int32]:
        """Samples (n,) to codes (10, frames)."""
        codes: Tensor = self._model.encode(torch.from_numpy(samples)[None, None])[0]
        return codes[0].to(torch.int32).numpy()

    @torch.inference_mode()
    def decode_autocast(self, codes: NDArray[np.int32]) -> NDArray[np.float32]:
        """As its server does: float32 weights under autocast to bfloat16."""
        with torch.autocast("cpu", torch.bfloat16):
            return self.decode(codes)


def _model(size: str, windows: tuple[int, int]) -> Any:
    dac, rvq = (reference_module(f"{_DAC}.{name}") for name in ("modded_dac", "rvq"))
    shape = SIZES[size]
    latent = shape.latent

    def arguments(**changes: Any) -> Any:
        return dac.ModelArgs(
            block_size=8, n_local_heads=-1, head_dim=64, rope_base=10000, norm_eps=1e-5, **changes
        )

    def transformer() -> Any:
        depth = {
            "n_layer": shape.layers,
            "n_head": latent // 64,
            "dim": latent,
            "intermediate_size": 3 * latent,
        }
        return dac.WindowLimitedTransformer(
            arguments(**depth), input_dim=latent, window_size=windows[1], causal=True
        )

    quantizer = rvq.DownsampleResidualVectorQuantize(
        input_dim=latent,
        n_codebooks=9,
        codebook_size=1024,
        codebook_dim=8,
        quantizer_dropout=0.5,
        downsample_factor=[2, 2],
        semantic_codebook_size=4096,
        pre_module=transformer(),
        post_module=transformer(),
    )
    return dac.DAC(
        sample_rate=44100,
        encoder_dim=shape.encoder,
        encoder_rates=[2, 4, 8, 8],
        decoder_dim=shape.decoder,
        decoder_rates=[8, 8, 4, 2],
        encoder_transformer_layers=[0, 0, 0, shape.encoder_layers],
        decoder_transformer_layers=[0, 0, 0, 0],  # the reference builds four and leaves them out of the model
        transformer_general_config=arguments,
        quantizer=quantizer,
    )


def _numbers(samples: Tensor) -> NDArray[np.float32]:
    return samples[0, 0].float().numpy()
