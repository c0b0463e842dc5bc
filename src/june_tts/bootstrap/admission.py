"""The queue in front of the engines."""

from june_tts.bootstrap.hosted_admission import HostedAdmission
from june_tts.engine.host_link import HostLink
from june_tts.service.admission import Admission, AdmissionRules
from june_tts.settings import Settings
from june_tts.telemetry.metrics import Metrics
from june_tts.telemetry.recorder import Recorder


def rules_of(settings: Settings) -> AdmissionRules:
    """The settings' limits."""
    return AdmissionRules(
        settings.max_streams,
        settings.queue,
        {
            "interactive": settings.queue_seconds,
            "normal": settings.queue_normal_seconds,
            "batch": settings.queue_batch_seconds,
        },
    )


def admission_of(
    settings: Settings, metrics: Metrics, recorder: Recorder, link: HostLink | None = None
) -> Admission:
    """As the settings have it, with nothing learned yet; behind a link, that of all workers."""
    if link is not None:
        return HostedAdmission(link, rules_of(settings), metrics.admission, recorder.refused)
    return Admission(rules_of(settings), metrics.admission, recorder.refused)
