"""The native Fish engine."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field


class Fish(BaseModel):
    fish_checkpoint: Path | None = Field(
        None,
        alias="LLAMA_CHECKPOINT_PATH",
        description="Folder of a Fish model (OpenAudio S1-mini): `config.json`, weights, tokenizer. It adds "
        "the engine `fish`, after the others unless JUNE_ENGINES names it.",
    )
    fish_codec: Path | None = Field(
        None,
        alias="DECODER_CHECKPOINT_PATH",
        description="Its codec. Unset: `codec.pth` in LLAMA_CHECKPOINT_PATH.",
    )
    fish_codec_kind: Literal["modded_dac_vq"] = Field(
        "modded_dac_vq", alias="DECODER_CONFIG_NAME", description="What kind of codec that is."
    )
    fish_device: Literal["auto", "cpu", "cuda"] = Field(
        "auto",
        alias="JUNE_FISH_DEVICE",
        description="Where the Fish model runs; `auto`: on a GPU if there is one.",
    )
    fish_dtype: Literal["float32", "bfloat16", "float16", "int8", "int4"] = Field(
        "bfloat16", alias="JUNE_FISH_DTYPE", description="Precision of the Fish model's weights."
    )
    fish_batch_invariant: bool = Field(
        False,
        alias="JUNE_FISH_BATCH_INVARIANT",
        description="Make a request's speech independent of who else is served, in 16 bits and less too; "
        "it is so in float32. Large batches get slower.",
    )
    fish_compile: bool = Field(
        False,
        alias="COMPILE",
        description="Have torch write kernels for the Fish model: more frames a second on a GPU for a "
        "longer start.",
    )
    fish_slots: int = Field(
        16,
        ge=1,
        le=1024,
        alias="JUNE_FISH_SLOTS",
        description="Streams that the Fish model speaks at once; more wait.",
    )
    fish_positions: int = Field(
        4096,
        ge=512,
        le=65_536,
        alias="JUNE_FISH_POSITIONS",
        description="Room of each slot for recording, text and speech, 21.5 a second and a few a word. "
        "A position takes 112 KiB in 16 bits.",
    )
    fish_prefix_mb: int = Field(
        1024,
        ge=0,
        alias="JUNE_FISH_PREFIX_MB",
        description="Memory for what the Fish model has computed of recordings, for the next request with "
        "them; 20 s are 50 MB.",
    )
    fish_semantic_only: bool = Field(
        False,
        alias="JUNE_FISH_SEMANTIC_ONLY",
        description="Let the Fish model draw nothing but speech. Unset: as fish-speech draws, where text may "
        "come up and is left out.",
    )
    fish_stall_seconds: float = Field(
        60.0,
        ge=1,
        le=3600,
        alias="JUNE_FISH_STALL_SECONDS",
        description="A process of the Fish model that does nothing for this long, while streams wait for it, "
        "is killed and started again.",
    )
