"""For every test: the same random numbers on each run, and one thread (the machine is shared)."""

from collections.abc import Iterator

import pytest
import torch

torch.set_num_threads(1)
pytest.register_assert_rewrite("tests.support.network_contract", "tests.support.faults")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True, scope="session")
def _no_settings_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Whoever runs the tests may have a remove-objects.toml; child processes must not see it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("configuration")))
        yield
