"""Model names of requests: those of the cloud APIs fit every voice, an engine's must be the voice's own."""

from june_tts.errors import InvalidRequest, shown
from june_tts.http.errors import ModelNotFound
from june_tts.http.services import Services


async def check_model(
    model: str, voice_id: str, given: Services, *, fit_all: tuple[str, ...], param: str
) -> None:
    """
    Args:
        fit_all: names, or how they begin, that leave the choice of the engine to the voice.
        param: the field that the model was sent in.

    Raises:
        ModelNotFound: it is neither one of those nor an engine.
        InvalidRequest: the voice is spoken by another engine.
        VoiceNotFound, CannotClone, StoreUnavailable: it is an engine, and the voice cannot be found.
    """
    if model.startswith(fit_all):
        return
    names = [engine.name for engine in given.engines]
    if model not in names:
        expected = ", ".join([*fit_all, *names])
        raise ModelNotFound(
            f"the model {shown(model, 60)} does not exist: expected one of {expected}", param=param
        )
    engine = given.library.engine_for(await given.library.resolve(voice_id))
    if engine.name != model:
        raise InvalidRequest(
            f"{param} is {model!r}: the voice {shown(voice_id, 60)} is spoken by {engine.name}", param=param
        )
