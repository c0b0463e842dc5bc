"""From what ElevenLabs' clients ask for to a `SpeechRequest`, for its HTTP routes and its sockets."""

from dataclasses import dataclass, replace

from june_tts.http.models import check_model
from june_tts.http.services import Services
from june_tts.types import Sampling, SpeechRequest

FIT_ALL = ("eleven_", "june")
"""Models that leave the choice of the engine to the voice. ElevenLabs' names say how fast and in how many
languages a model speaks; here that is a matter of the voice."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How a text is to be spoken."""

    voice_id: str
    model_id: str | None = None
    language: str | None = None
    speed: float = 1.0
    seed: int | None = None
    normalize: bool = True


async def speech_request(wish: Wish, text: str, request_id: str, given: Services) -> SpeechRequest:
    """
    Raises:
        ModelNotFound, VoiceNotFound, CannotClone, StoreUnavailable, InvalidRequest: see `check_model`.
    """
    if wish.model_id:
        await check_model(wish.model_id, wish.voice_id, given, fit_all=FIT_ALL, param="model_id")
    request = SpeechRequest(
        request_id, text, wish.voice_id, wish.language, wish.speed, normalize=wish.normalize
    )
    if wish.seed is None:
        return request
    # "best effort" in that API: a voice that is not drawn sounds the same with every seed
    sampling = Sampling(seed=wish.seed)
    able = await given.synthesizer.capabilities(request)
    return replace(request, sampling=sampling.without(sampling.given() - able.parameters))
