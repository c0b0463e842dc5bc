"""Reads codec.pth: the DAC codec of OpenAudio S1-mini, as fish-speech saves it.

The file is mapped, not read: what a half of the codec does not ask for never enters memory. Keys may be
nested in "state_dict" and may begin with "generator."; weight norm comes in both of torch's encodings and is
folded here, once, instead of in every call.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor

from june_tts.errors import ModelUnavailable
from june_tts.fish.layout import check_codec

PREFIX = "generator."
STALE = (".freqs_cis", ".causal_mask")
"""Tables that the reference saves beside the weights; they follow from a formula."""
ENCODINGS = (
    ("parametrizations.weight.original0", "parametrizations.weight.original1"),
    ("weight_g", "weight_v"),
)
"""Weight norm's length and direction, in the new and in the old encoding."""

_UNREADABLE = (OSError, RuntimeError, UnpicklingError, EOFError, ValueError, KeyError, AttributeError)


@dataclass(frozen=True, slots=True)
class CodecFile:
    """Tensors by name. Every method raises ModelUnavailable, naming file and tensor."""

    path: Path
    state: Mapping[str, Tensor]

    @classmethod
    def open(cls, path: Path) -> "CodecFile":
        """Raises: ModelUnavailable where the file is missing or is no file of tensors."""
        check_codec(path)
        try:
            loaded = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
        except _UNREADABLE as error:
            raise ModelUnavailable(
                f"{path} is damaged, cut short, or no file of tensors ({first_line(error)})"
            ) from error
        return cls(path, _tensors(path, loaded))

    def shapes_only(self) -> "CodecFile":
        """The same file with ones for numbers: building from it checks names and shapes and reads nothing.

        One number for each tensor, not tensors on torch's device `meta`: for these it imports its compiler,
        which takes every start five seconds and 150 MB.
        """
        one = torch.ones(())
        return CodecFile(self.path, {name: one.expand(tensor.shape) for name, tensor in self.state.items()})

    def tensor(self, name: str, *shape: int) -> Tensor:
        """A tensor of this very shape, in float32."""
        found = self.state.get(name)
        if found is None:
            raise self._lacks(name)
        if tuple(found.shape) != shape:
            raise ModelUnavailable(f"{self.path}: {name} has shape {tuple(found.shape)}, expected {shape}")
        return found.float()

    def weight(self, name: str, *shape: int) -> Tensor:
        """The effective weight of layer `name`: g * v / |v|, |v| taken over all dimensions but the first."""
        for length, direction in ENCODINGS:
            if f"{name}.{direction}" in self.state:
                v = self.tensor(f"{name}.{direction}", *shape)
                g = self.tensor(f"{name}.{length}", shape[0], *[1] * (len(shape) - 1))
                length_of_v: Tensor = torch.linalg.vector_norm(
                    v, dim=tuple(range(1, len(shape))), keepdim=True
                )
                return v * (g / length_of_v)
        return self.tensor(f"{name}.weight", *shape)

    def width(self, name: str) -> int:
        """Length of a vector that the architecture leaves open."""
        found = self.state.get(name)
        if found is None:
            raise self._lacks(name)
        if found.ndim != 1:
            raise ModelUnavailable(
                f"{self.path}: {name} has shape {tuple(found.shape)}, expected one dimension"
            )
        return int(found.shape[0])

    def count(self, name: str) -> int:
        """How many numbered parts `name` has: one more than the largest number."""
        pattern = re.compile(re.escape(name) + r"\.(\d{1,4})\.")
        numbers = [int(found[1]) for key in self.state if (found := pattern.match(key))]
        if not numbers:
            raise self._lacks(f"{name}.0")
        return max(numbers) + 1

    def _lacks(self, name: str) -> ModelUnavailable:
        return ModelUnavailable(f"{self.path} has no tensor {name!r}: expected the codec of OpenAudio S1")


def _tensors(path: Path, loaded: object) -> dict[str, Tensor]:
    if isinstance(loaded, Mapping) and isinstance(loaded.get("state_dict"), Mapping):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, Mapping):
        raise ModelUnavailable(f"{path} holds a {type(loaded).__name__}, expected tensors by name")
    tensors = {
        str(name).removeprefix(PREFIX): value for name, value in loaded.items() if isinstance(value, Tensor)
    }
    return {name: value for name, value in tensors.items() if not name.endswith(STALE)}


def first_line(error: Exception) -> str:
    """A loader's first sentence; the rest of torch's advice is about turning its safety off."""
    return re.split(r"\n|\. ", str(error).strip(), maxsplit=1)[0][:200]
