"""What several tests of the Fish engine need."""

import pytest
from tests.fish_vocabulary import write_tokenizer

from june_tts.fish.tokenizer import Tokenizer


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return Tokenizer.read(write_tokenizer(tmp_path_factory.mktemp("tokenizer")))
