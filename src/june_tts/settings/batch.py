"""Work that nobody waits for at the other end: batches, and jobs."""

from pydantic import BaseModel, Field


class Batch(BaseModel):
    batch_items: int = Field(
        50, ge=1, le=10_000, alias="JUNE_BATCH_ITEMS", description="Most items of one batch."
    )
    batch_chars: int = Field(
        100_000,
        ge=1,
        alias="JUNE_BATCH_CHARS",
        description="Most characters of all items of a batch together; each may have JUNE_MAX_TEXT_CHARS.",
    )
    batch_at_once: int = Field(
        4, ge=1, le=256, alias="JUNE_BATCH_AT_ONCE", description="Items of one batch spoken at a time."
    )
    batches: int = Field(
        8, ge=1, le=1000, alias="JUNE_BATCHES", description="Batches under way at a time; one more gets 503."
    )
    batch_item_mb: int = Field(
        32,
        ge=1,
        le=1024,
        alias="JUNE_BATCH_ITEM_MB",
        description="Largest audio of one item, in MiB. In memory are at most JUNE_BATCHES times "
        "JUNE_BATCH_AT_ONCE of them, and two more a batch.",
    )
