"""For every test: the same random numbers on each run, and one thread (the machine is shared)."""

import pytest
import torch

torch.set_num_threads(1)
pytest.register_assert_rewrite("tests.support.network_contract", "tests.support.faults")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
