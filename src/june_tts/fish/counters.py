"""What a loop counts from its start."""

from dataclasses import dataclass

from june_tts.fish.scheduler import Plan


@dataclass(slots=True)
class Counters:
    """The fields are explained at `Stats`."""

    steps: int = 0
    rows: int = 0
    last_batch: int = 0
    frames: int = 0
    illegal_frames: int = 0
    prefill_columns: int = 0
    failed_steps: int = 0
    failures_in_row: int = 0

    def stepped(self, plan: Plan) -> None:
        self.steps += 1
        self.last_batch = len(plan.streams)
        self.rows += self.last_batch
        self.frames += len(plan.makers)
        self.prefill_columns += plan.prefill_columns
        self.failures_in_row = 0

    def step_failed(self) -> None:
        self.failed_steps += 1
        self.failures_in_row += 1
