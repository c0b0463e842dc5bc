"""`june-tts fish`: the Fish engine without the rest."""

import typer

from june_tts.cli.fish_serve import serve
from june_tts.cli.fish_tools import bench, codes, encode, vocode

fish = typer.Typer(no_args_is_help=True, add_completion=False)
fish.command("serve")(serve)
for tool in (codes, vocode, encode, bench):
    fish.command(tool.__name__)(tool)


@fish.callback()
def group() -> None:
    """The Fish engine: its own API, as fish-speech serves it, and tools."""
