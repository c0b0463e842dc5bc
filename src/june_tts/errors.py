"""Every error a caller can see. `code` goes on the wire; `http/errors.py` maps it to a status.

A docstring is the default message. `param` names the request field at fault where there is one.
"""


class JuneError(Exception):
    """june-tts could not do this."""

    code = "internal"
    retryable = False

    def __init__(
        self, message: str | None = None, *, param: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message or (self.__doc__ or "").strip())
        self.param = param
        self.retry_after = retry_after
        """Seconds after which trying again makes sense, where that is known."""


class InvalidRequest(JuneError):
    """The request is not valid."""

    code = "invalid_request"


class UnsupportedParameter(InvalidRequest):
    """The engine of this voice has no such parameter."""

    code = "unsupported_parameter"


class NothingToSpeak(InvalidRequest):
    """The text has nothing in it that can be spoken."""

    code = "nothing_to_speak"


class TextTooLong(InvalidRequest):
    """The text is longer than this server accepts."""

    code = "text_too_long"


class BodyTooLarge(InvalidRequest):
    """The request body is larger than this server accepts."""

    code = "body_too_large"


class BodyTooSlow(InvalidRequest):
    """The request body did not arrive in time."""

    code = "body_too_slow"


class VoiceNotFound(InvalidRequest):
    """No voice has this id."""

    code = "voice_not_found"


class VoiceExists(InvalidRequest):
    """A voice with this id exists already."""

    code = "voice_exists"


class VoiceReadOnly(InvalidRequest):
    """A built-in voice cannot be changed or removed."""

    code = "voice_read_only"


class UtteranceNotFound(InvalidRequest):
    """No utterance has this id, or it ended too long ago."""

    code = "utterance_not_found"


class JobNotFound(InvalidRequest):
    """No job has this id, or it ended too long ago."""

    code = "job_not_found"


class JobUnfinished(InvalidRequest):
    """The job has no audio: it has not ended yet, or not well."""

    code = "job_unfinished"


class RangeNotSatisfiable(InvalidRequest):
    """The audio does not have these bytes."""

    code = "range_not_satisfiable"


class InvalidRecording(InvalidRequest):
    """The recording cannot be used as a voice."""

    code = "invalid_recording"


class CannotClone(InvalidRequest):
    """No engine here can speak a cloned voice."""

    code = "cannot_clone"


class Unauthorized(JuneError):
    """The API key is missing or wrong."""

    code = "unauthorized"


class Forbidden(JuneError):
    """The API key may not do this."""

    code = "forbidden"


class KeyNotFound(InvalidRequest):
    """No API key has this id."""

    code = "key_not_found"


class RateLimited(JuneError):
    """The API key has had as much as it may."""

    code = "rate_limited"
    retryable = True


class Overloaded(JuneError):
    """Every place is taken and the queue is full."""

    code = "overloaded"
    retryable = True


class DeadlineMissed(JuneError):
    """First audio would have come after the deadline of the request."""

    code = "deadline_missed"
    retryable = True


class NotConfigured(JuneError):
    """This needs something that is not configured here."""

    code = "not_configured"


class EngineFailed(JuneError):
    """The engine could not finish this request."""

    code = "engine_failed"
    retryable = True


class StoreUnavailable(JuneError):
    """The voice library cannot be reached."""

    code = "store_unavailable"
    retryable = True


class RoomUnavailable(JuneError):
    """The LiveKit room cannot be joined, or the connection to it was lost."""

    code = "room_unavailable"
    retryable = True


class SettingsError(JuneError):
    """A setting is not usable."""

    code = "settings"


class ModelUnavailable(JuneError):
    """A model file is missing, damaged or cannot be fetched."""

    code = "model_unavailable"


def shown(text: str, limit: int = 80) -> str:
    """What a caller sent, fit for a message: quoted, escaped, and cut after `limit` characters."""
    return repr(text) if len(text) <= limit else f"{text[:limit]!r}… ({len(text)} characters)"
