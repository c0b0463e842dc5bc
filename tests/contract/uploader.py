"""A process that adds voices and says the id of each one once the store has acknowledged it.

`python -m tests.contract.uploader URL FOLDER PREFIX COUNT`; an empty URL means SQLite in FOLDER.
"""

import asyncio
import sys
from pathlib import Path

from tests.contract.voices import new_voice

from june_tts.store import open_store


async def main(url: str, folder: str, prefix: str, count: str) -> None:
    store = await open_store(url or None, Path(folder))
    for n in range(int(count)):
        added = await store.add(new_voice(f"{prefix}-{n}"))
        sys.stdout.write(f"{added.voice_id}\n")
        sys.stdout.flush()
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
