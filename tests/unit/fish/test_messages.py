"""Messages between the server and the engine's process: each arrives as it was sent, or not at all."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from june_tts.fish.events import Done, Failed, Frames, LoopConfig, Request, Timings
from june_tts.fish.messages import (
    Cancel,
    CodesMade,
    Decode,
    Encode,
    Load,
    Message,
    Ping,
    Ready,
    SamplesMade,
    Took,
    from_frame,
    to_frame,
)
from june_tts.fish.options import EngineInfo, EngineOptions
from june_tts.fish.sequence import SamplingParams, Stop
from june_tts.fish.totals import NOTHING
from june_tts.fish.wire import Frame, Unpacker, WireError, pack

pytestmark = pytest.mark.unit

CODES = np.arange(20, dtype=np.int32).reshape(10, 2)
SAMPLES = np.linspace(-1, 1, 9, dtype=np.float32)
COLUMNS = np.arange(22, dtype=np.int32).reshape(11, 2)
PARAMS = SamplingParams(temperature=0.5, seed=2**62, repetition_rule="intended", greedy=True)

MESSAGES: list[Message] = [
    Load(EngineOptions("/a", "/b", device="cpu", precision="int4", loop=LoopConfig(max_batch=3))),
    Request("1", COLUMNS, 1, PARAMS, realtime=False),
    Took("1", 4),
    Cancel("1"),
    Encode("1", SAMPLES),
    Decode("1", CODES),
    Ping(),
    Ready(EngineInfo("cpu", "int8", 10, 4, 8192, 1 << 33, 44_100, 2048)),
    replace(NOTHING, steps=3),
    Frames("1", CODES, SAMPLES),
    Frames("1", CODES, None),
    Done("1", Stop.REPEAT, 3, 1, Timings(0.5, None, 1, 2.5), None),
    Done("1", Stop.END, 3, 1, Timings(), COLUMNS),
    Failed("1", "no", True),
    CodesMade("1", CODES),
    SamplesMade("1", SAMPLES),
]


def plain(value: Any) -> Any:
    """With arrays as lists, so that messages can be compared."""
    if isinstance(value, np.ndarray):
        return [value.dtype.name, value.tolist()]
    return (
        {name: plain(getattr(value, name)) for name in value.__slots__}
        if hasattr(value, "__slots__")
        else value
    )


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_arrives_as_it_was_sent(message: Message) -> None:
    (frame,) = Unpacker().feed(pack(to_frame(message)))
    arrived = from_frame(frame)
    assert type(arrived) is type(message)
    assert plain(arrived) == plain(message)


def test_enumerations_and_nested_values_get_their_types_back() -> None:
    done = from_frame(to_frame(Done("1", Stop.END, 1, 0, Timings(1.0))))
    assert isinstance(done, Done)
    assert done.stop is Stop.END and isinstance(done.timings, Timings)


@pytest.mark.parametrize(
    "frame",
    [
        Frame("Shutdown", {}),
        Frame("Took", {"id": "1"}),
        Frame("Took", {"id": 1, "frames": 1}),
        Frame("Took", {"id": "1", "frames": 1.5}),
        Frame("Took", {"id": "1", "frames": True}),
        Frame("Took", {"id": "1", "frames": 1, "more": 1}),
        Frame("Took", {"id": "1", "frames": 1}, (CODES,)),
        Frame("Encode", {"id": "1"}),
        Frame("Encode", {"id": "1", "samples": None}),
        Frame("Encode", {"id": "1"}, (CODES,)),
        Frame("Encode", {"id": "1"}, (SAMPLES.reshape(3, 3),)),
        Frame("Failed", {"id": "1", "message": "no", "retryable": None}),
        Frame("Ready", {"info": {"device": "cpu"}}),
        Frame("Ready", {"info": None}),
    ],
)
def test_what_is_no_message_is_refused_by_name(frame: Frame) -> None:
    with pytest.raises(WireError, match=frame.kind):
        from_frame(frame)


def changed(message: Message, field: str, **values: Any) -> Frame:
    frame = to_frame(message)
    return replace(frame, fields={**frame.fields, field: {**frame.fields[field], **values}})


@pytest.mark.parametrize(
    "values", [{"repetition_rule": "none"}, {"temperature": "1"}, {"temperature": 0.0}, {"seed": -1}]
)
def test_sampling_parameters_are_checked_on_arrival(values: dict[str, Any]) -> None:
    with pytest.raises(WireError, match="Request.params"):
        from_frame(changed(MESSAGES[1], "params", **values))


def test_options_are_checked_on_arrival() -> None:
    with pytest.raises(WireError, match=r"Load.options.*slots is 0"):
        from_frame(changed(MESSAGES[0], "options", slots=0))


def test_an_unknown_stop_is_refused() -> None:
    frame = to_frame(MESSAGES[11])
    with pytest.raises(WireError, match="Done.stop"):
        from_frame(replace(frame, fields={**frame.fields, "stop": "tired"}))
