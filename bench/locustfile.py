"""The production guide's two locust tasks, as listeners hear them.

    locust -f bench/locustfile.py --host http://127.0.0.1:8000 [--room NAME]

`python -m bench.locust_run` starts a server and runs it. Without a room the reply is the audio: beside
locust's own figures (`synthesize …`: until the headers, which wait for the first sound) there is a line
`heard …`, until the last sound. A refusal with a time to come back is the server doing its work: it gets a
line of its own, `refused`, and the user comes back when it was told to.
"""

import time
from typing import Any

import gevent  # type: ignore[import-untyped]  # it has no stubs
from locust import FastHttpUser, between, events, task

SHORT = "Hello, this is a test."
LONG = "This is a much longer sentence that will take more time to synthesize and stream to the client." * 3


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]  # locust leaves it untyped
def options(parser: Any) -> None:
    parser.add_argument(
        "--room", default="", help="a LiveKit room to speak into; none: the reply is the audio"
    )


class TTSUser(FastHttpUser):
    wait_time = between(1, 3)

    @task
    def synthesize_short(self) -> None:
        self._speak("short", SHORT)

    @task(2)
    def synthesize_long(self) -> None:
        self._speak("long", LONG)

    def _speak(self, name: str, text: str) -> None:
        body = {"text": text, "voice_id": "default"}
        if self.environment.parsed_options.room:
            body["room_name"] = self.environment.parsed_options.room
        began = time.perf_counter()
        with self.client.post(
            "/api/tts/synthesize", json=body, stream=True, catch_response=True, name=f"synthesize {name}"
        ) as reply:
            after = float(reply.headers.get("retry-after", 0)) if reply.status_code == 503 else 0.0
            if after:
                reply.request_meta["name"] = "refused"
                reply.success()
            size = sum(len(part) for part in reply.iter_content(65_536))
        if after:
            gevent.sleep(after)
        elif reply.status_code == 200:
            self._heard(name, time.perf_counter() - began, size)

    def _heard(self, name: str, seconds: float, size: int) -> None:
        self.environment.events.request.fire(
            request_type="POST",
            name=f"heard {name}",
            response_time=1000 * seconds,
            response_length=size,
            exception=None,
            context={},
        )
