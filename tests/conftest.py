"""Every test: the same random numbers on each run, one thread (the suite shares its machine)."""

import pytest
import torch

torch.set_num_threads(1)
pytest.register_assert_rewrite("tests.support.network_contract", "tests.support.faults")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
