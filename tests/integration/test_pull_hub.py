"""Pulling a gated repository from a hub whose files lie in a store elsewhere, both on real sockets."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.hub_server import FIRST, SECOND, TOKEN, PlayedHub, contents, played_hub
from typer.testing import CliRunner, Result

from june_tts.cli.main import app
from june_tts.errors import ModelUnavailable
from june_tts.models.catalogue import FISH_S1_MINI
from june_tts.models.fetch import Fetcher
from june_tts.models.hub import Hub, trusted
from june_tts.models.inventory import Model, inventory
from june_tts.models.repository import Told, pull_repository
from june_tts.models.snapshot import Snapshot, read_snapshot
from june_tts.models.web import Patience

pytestmark = pytest.mark.integration

FOLDER = FISH_S1_MINI.name


@pytest.fixture
def hub() -> Iterator[PlayedHub]:
    with played_hub() as hub:
        yield hub


class Puller:
    """Pulls into a folder of its own, as one user of the command does."""

    def __init__(self, hub: PlayedHub, models: Path) -> None:
        self.models = models
        self.folder = models / FOLDER
        self.waits: list[float] = []
        self.free = 1 << 40
        self._hub = hub

    def __call__(
        self,
        revision: str | None = None,
        token: str | None = TOKEN,
        told: Told = lambda file, done: None,
    ) -> Snapshot:
        fetcher = Fetcher(
            Patience(attempts=3, read_timeout=2.0),
            trusted=trusted(self._hub.url, FISH_S1_MINI.repository, token),
            sleep=self.waits.append,
            free_bytes=lambda folder: self.free,
        )
        try:
            hub = Hub(self._hub.url, fetcher.web)
            return pull_repository(
                FISH_S1_MINI,
                self.models,
                fetcher,
                hub,
                accepted_at="2026-01-01",
                revision=revision,
                told=told,
            )
        finally:
            fetcher.close()

    def files(self) -> set[str]:
        """What an engine would find."""
        return {path.name for path in self.folder.iterdir()} & {*FISH_S1_MINI.files}

    def row(self) -> Model:
        (row,) = (model for model in inventory(self.models, self.models) if model.name == FOLDER)
        return row


@pytest.fixture
def pull(hub: PlayedHub, tmp_path: Path) -> Puller:
    return Puller(hub, tmp_path / "models")


def assert_whole(pull: Puller, seed: int = 1) -> None:
    assert {name: (pull.folder / name).read_bytes() for name in FISH_S1_MINI.files} == contents(seed)
    assert not (pull.folder / "incoming").exists()


def test_a_commit_arrives_whole_and_is_noted(hub: PlayedHub, pull: Puller) -> None:
    told: dict[str, int] = {}
    done = pull(told=lambda file, bytes_: told.update({file.name: bytes_}))
    assert_whole(pull)
    assert told == {name: len(content) for name, content in contents(1).items()}
    assert done.revision == FIRST
    assert read_snapshot(pull.folder) == done
    hashes = {file.name: file.sha256 for file in done.files}
    assert hashes == {name: hashlib.sha256(content).hexdigest() for name, content in contents(1).items()}


def test_the_token_reaches_the_hub_and_never_its_store(hub: PlayedHub, pull: Puller) -> None:
    pull()
    assert hub.tokens_at_hub == {f"Bearer {TOKEN}"}
    assert len(hub.store_asked) == 2
    assert "authorization" not in hub.headers_at_store
    assert TOKEN not in (pull.folder / "june-pull.json").read_text()


def test_what_is_there_costs_no_request(hub: PlayedHub, pull: Puller) -> None:
    first = pull()
    asked = len(hub.hub_asked)
    hub.main = SECOND
    assert pull() == first
    assert len(hub.hub_asked) == asked


def test_a_damaged_file_is_fetched_again_from_the_same_commit(hub: PlayedHub, pull: Puller) -> None:
    pull()
    hub.main = SECOND
    (pull.folder / "config.json").write_bytes(b"{}")
    hub.store_asked.clear()
    assert pull().revision == FIRST
    assert_whole(pull)
    assert hub.store_asked == []


def test_a_cut_connection_goes_on_where_it_stopped(hub: PlayedHub, pull: Puller) -> None:
    hub.cut_after = [400_000]
    pull()
    assert_whole(pull)
    (first, again) = [asked for asked in hub.store_asked if asked[0] == "codec.pth"]
    assert first[1] is None
    # how many bytes had left the kernel when the reset came is the kernel's to say
    assert again[1] is None or again[2] == f'"{FIRST[:8]}"'
    assert len(pull.waits) == 1


def interrupt(file: object, done: int) -> None:
    """Ctrl-C in the middle of the model."""
    if done >= 1_500_000:
        raise KeyboardInterrupt


def test_an_interrupted_pull_shows_no_file_and_goes_on_with_the_same_commit(
    hub: PlayedHub, pull: Puller
) -> None:
    with pytest.raises(KeyboardInterrupt):
        pull(told=interrupt)
    assert pull.files() == set()
    assert pull.row().state == "can be pulled"
    kept = (pull.folder / "incoming" / "model.pth.part").stat().st_size
    assert kept >= 1_500_000
    hub.main = SECOND
    hub.store_asked.clear()
    assert pull().revision == FIRST
    assert hub.store_asked == [("model.pth", f"bytes={kept}-", f'"{FIRST[:8]}"')]
    assert_whole(pull)


def test_a_newer_commit_replaces_the_old_one_only_once_it_is_whole(hub: PlayedHub, pull: Puller) -> None:
    pull()
    hub.main = SECOND
    hub.spoil = {"model.pth"}
    with pytest.raises(ModelUnavailable, match="SHA-256"):
        pull("main")
    assert {name: (pull.folder / name).read_bytes() for name in FISH_S1_MINI.files} == contents(1)
    assert pull.row().revision == FIRST
    hub.spoil = set()
    assert pull("main").revision == SECOND
    assert_whole(pull, seed=2)


@pytest.mark.parametrize("name", ["model.pth", "config.json"])
def test_wrong_bytes_are_refused_by_name_and_not_kept(hub: PlayedHub, pull: Puller, name: str) -> None:
    hub.spoil = {name}
    with pytest.raises(ModelUnavailable, match=f"{name}.*(SHA-256 is|git's blob)"):
        pull()
    assert pull.files() == set()
    assert not (pull.folder / "incoming" / name).exists()


@pytest.mark.parametrize(
    "refusal", [(401, "GatedRepo"), (403, "GatedRepo"), (403, ""), (401, "RepoNotFound")]
)
def test_without_a_token_the_way_to_one_is_told(
    hub: PlayedHub, pull: Puller, refusal: tuple[int, str]
) -> None:
    hub.refusal = refusal
    with pytest.raises(ModelUnavailable) as refused:
        pull(token=None)
    for words in (
        f"HTTP {refusal[0]}",
        "https://huggingface.co/fishaudio/openaudio-s1-mini",
        "HF_TOKEN",
        "accept",
    ):
        assert words in str(refused.value)
    assert hub.tokens_at_hub == {None}


@pytest.mark.parametrize("refusal", [(401, "GatedRepo"), (401, ""), (403, "GatedRepo")])
def test_a_token_that_is_not_let_in_is_not_shown(
    hub: PlayedHub, pull: Puller, refusal: tuple[int, str]
) -> None:
    hub.refusal = refusal
    with pytest.raises(ModelUnavailable, match="the token in use is not let in") as refused:
        pull(token="hf_another")
    assert "hf_another" not in repr(refused.value)


def test_a_refusal_of_the_store_is_not_taken_for_the_hubs(hub: PlayedHub, pull: Puller) -> None:
    hub.store_statuses = [403]
    with pytest.raises(ModelUnavailable, match="HTTP 403, expected the file codec.pth") as refused:
        pull()
    assert "hush" not in str(refused.value)


def test_a_range_that_is_not_there_starts_over(hub: PlayedHub, pull: Puller) -> None:
    with pytest.raises(KeyboardInterrupt):
        pull(told=interrupt)
    hub.store_asked.clear()
    hub.store_statuses = [416]
    pull()
    assert_whole(pull)
    assert [asked[1] is None for asked in hub.store_asked] == [False, True]


def test_a_busy_hub_and_a_busy_store_are_asked_again_as_late_as_they_wish(
    hub: PlayedHub, pull: Puller
) -> None:
    hub.hub_statuses, hub.store_statuses = [429], [503, 429]
    pull()
    assert_whole(pull)
    assert pull.waits == [7.0, 7.0, 7.0]


def test_a_hub_that_stays_busy_is_given_up(hub: PlayedHub, pull: Puller) -> None:
    hub.hub_statuses = [429] * 9
    with pytest.raises(ModelUnavailable, match="HTTP 429; gave up after 3 attempts"):
        pull()
    assert len(hub.hub_asked) == 3


def test_too_little_space_for_all_files_is_said_before_the_first_is_fetched(
    hub: PlayedHub, pull: Puller
) -> None:
    pull.free = 18 << 20
    with pytest.raises(ModelUnavailable, match=r"19 MiB needed for fish/s1-mini, 18 MiB free"):
        pull()
    assert not any("resolve" in path for path in hub.hub_asked)


def test_a_revision_that_is_not_there_is_named(hub: PlayedHub, pull: Puller) -> None:
    with pytest.raises(ModelUnavailable, match="no such revision"):
        pull("v9")


def test_a_repository_without_a_needed_file_is_refused(hub: PlayedHub, pull: Puller) -> None:
    del hub.commits[FIRST]["codec.pth"]
    with pytest.raises(ModelUnavailable, match=r"has no codec\.pth"):
        pull()


@pytest.mark.parametrize("field", ["oid", "size"])
def test_a_list_that_makes_no_sense_is_refused(
    hub: PlayedHub, pull: Puller, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = hub.tree(FIRST)
    odd[1][field] = "../../etc"
    monkeypatch.setattr(hub, "tree", lambda commit: odd)
    with pytest.raises(ModelUnavailable, match="expected a list of files"):
        pull()


def test_the_list_tells_size_licence_and_commit(hub: PlayedHub, pull: Puller) -> None:
    before = pull.row()
    assert (before.state, before.license, before.clones) == ("can be pulled", "CC-BY-NC-SA-4.0", True)
    assert before.bytes > 3_000_000_000
    pull()
    row = pull.row()
    assert (row.state, row.path, row.revision) == ("pulled", pull.folder, FIRST)
    assert row.bytes == sum(map(len, contents(1).values()))


def command(hub: PlayedHub, home: Path, *args: str, token: str = TOKEN, answer: str = "") -> Result:
    env = {
        "JUNE_DATA_DIR": str(home),
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(home / "hf"),
        "HF_TOKEN": token,
    }
    return CliRunner().invoke(app, ["models", *args], env=env, input=answer)


def test_the_command_asks_once_for_consent_and_says_how_to_go_on(hub: PlayedHub, tmp_path: Path) -> None:
    done = command(hub, tmp_path, "pull", FOLDER, answer="y\n")
    assert done.exit_code == 0, done.stderr
    folder = tmp_path / "models" / "fish" / "s1-mini"
    assert "CC-BY-NC-SA-4.0: not for commercial use" in done.stderr
    assert f"LLAMA_CHECKPOINT_PATH={folder}" in done.stderr
    assert FIRST[:12] in done.stderr
    assert TOKEN not in done.stderr
    again = command(hub, tmp_path, "pull", FOLDER)
    assert again.exit_code == 0, again.stderr
    assert "Do you accept" not in again.stderr
    (row,) = (row for row in json.loads(command(hub, tmp_path, "list", "--json").stdout) if row["clones"])
    assert (row["name"], row["state"], row["revision"]) == (FOLDER, "pulled", FIRST)


@pytest.mark.parametrize("answer", ["", "n\n"])
def test_nothing_is_asked_of_the_hub_without_consent(hub: PlayedHub, tmp_path: Path, answer: str) -> None:
    refused = command(hub, tmp_path, "pull", FOLDER, answer=answer)
    assert refused.exit_code == 2
    assert "--accept-licence" in refused.stderr
    assert hub.hub_asked == []


def test_a_script_accepts_by_option_and_the_saved_token_is_used(hub: PlayedHub, tmp_path: Path) -> None:
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "token").write_text(f"{TOKEN}\n")
    done = command(hub, tmp_path, "pull", FOLDER, "--accept-licence", token="")
    assert done.exit_code == 0, done.stderr


def test_the_command_without_any_token_tells_the_way(hub: PlayedHub, tmp_path: Path) -> None:
    refused = command(hub, tmp_path, "pull", FOLDER, "--accept-licence", token="")
    assert refused.exit_code == 1
    assert "set HF_TOKEN" in refused.stderr


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((FOLDER, "--variant", "int8"), "has no variant: int8"),
        ((FOLDER, "--from", "http://x"), "HF_ENDPOINT=http://x"),
        (("kokoro", "--revision", "main"), "kokoro has no revision"),
        ((FOLDER, "--revision", "a/../b", "--accept-licence"), "expected a branch, tag or commit"),
    ],
)
def test_options_that_mean_nothing_for_a_model_are_refused(
    hub: PlayedHub, tmp_path: Path, args: tuple[str, ...], words: str
) -> None:
    refused = command(hub, tmp_path, "pull", *args)
    assert refused.exit_code == 2
    assert words in refused.stderr
    assert hub.hub_asked == []
