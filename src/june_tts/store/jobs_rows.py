"""Between rows and jobs. A row never leaves `store`."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from june_tts.errors import JobNotFound, shown
from june_tts.jobs import Failure, Job, NewJob
from june_tts.types import Sampling, SpeechRequest

_FIELDS = (
    *("owner", "title", "format", "sample_rate", "state", "characters", "spoken", "pieces", "piece_rate"),
    *("samples", "audio_bytes", "created_at", "started_at", "ended_at"),
)
SEEN = ("job_id", "speech", "failure", *_FIELDS)
"""The columns of a Job."""


def to_row(job: NewJob) -> dict[str, Any]:
    """A new one; its times are the database's."""
    speech = job.speech
    how = {
        "voice_id": speech.voice_id,
        "language": speech.language,
        "speed": speech.speed,
        "sampling": {name: getattr(speech.sampling, name) for name in sorted(speech.sampling.given())},
    }
    return {
        **{"job_id": job.id, "owner": job.owner, "title": job.title, "state": "queued"},
        **{"speech": json.dumps(how), "format": job.format, "sample_rate": job.sample_rate},
        **{"characters": len(speech.text), "text": speech.text},
        **{"spoken": 0, "pieces": 0, "samples": 0, "tries": 0},
    }


def to_job(row: Mapping[Any, Any]) -> Job:
    failure = json.loads(row["failure"]) if row["failure"] else None
    return Job(
        id=row["job_id"],
        voice_id=json.loads(row["speech"])["voice_id"],
        failure=Failure(**failure) if failure else None,
        **{name: row[name] for name in _FIELDS},
    )


def to_speech(row: Mapping[Any, Any]) -> SpeechRequest:
    how = json.loads(row["speech"])
    return SpeechRequest(
        request_id=row["job_id"],
        text=row["text"],
        voice_id=how["voice_id"],
        language=how["language"],
        speed=how["speed"],
        sampling=Sampling(**how["sampling"]),
        unhurried=True,
    )


def from_failure(failure: Failure) -> str:
    return json.dumps(asdict(failure))


def not_found(job_id: str) -> JobNotFound:
    return JobNotFound(f"no job has the id {shown(job_id)}", param="job_id")
