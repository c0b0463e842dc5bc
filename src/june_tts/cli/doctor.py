"""`june-tts doctor`: is this machine fit, and if not, what to do."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from june_tts.cli.checks import Finding, examine
from june_tts.cli.output import show_json
from june_tts.settings import load

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check that this machine has what june-tts needs, with a remedy for what it lacks.

    The exit status is 0 unless a check failed, and 1 if one did. It loads every model, which takes seconds.
    """
    settings = load().settings
    console = Console(highlight=False, soft_wrap=True)
    findings = []
    for finding in examine(settings):
        findings.append(finding)
        if not as_json:
            _show(console, finding)
    if as_json:
        show_json([asdict(finding) for finding in findings])
    failed = sum(finding.state == "fail" for finding in findings)
    if failed:
        if not as_json:
            console.print(f"{failed} of {len(findings)} checks failed")
        raise typer.Exit(1)


def _show(console: Console, finding: Finding) -> None:
    line = Text(f"{finding.state:4} ", style=_STYLES[finding.state])
    line.append(f"{finding.check}: ", style="bold")
    line.append(finding.found, style="none")
    console.print(line)
    if finding.remedy:
        console.print(Text(f"     → {finding.remedy}"))
