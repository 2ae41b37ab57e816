"""Each actor's share of a cluster, and the messages without Ray. No cluster is started here."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from remove_objects.pipeline import cli
from remove_objects.pipeline.batch.engines import ray_cluster
from remove_objects.pipeline.batch.engines.ray_cluster import Share, share
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import UsageError
from remove_objects.pipeline.system.extras import install_command


@pytest.mark.parametrize(
    ("resources", "device", "options", "expected"),
    [
        ({"CPU": 8}, "auto", {}, Share(8, 1, 0, 1)),
        ({"CPU": 8}, "auto", {"actors": 2}, Share(2, 4, 0, 4)),
        ({"CPU": 8}, "cpu", {"actors": 3}, Share(3, 2, 0, 2)),
        ({"CPU": 2}, "cpu", {"actors": 4}, Share(4, 0.5, 0, 1)),
        ({"CPU": 16, "GPU": 2}, "auto", {}, Share(2, 8, 1, 8)),
        ({"CPU": 16, "GPU": 2}, "cpu", {}, Share(16, 1, 0, 1)),
        ({"CPU": 16, "GPU": 2}, "cuda", {"gpus_per_actor": 0.5}, Share(4, 4, 0.5, 4)),
        ({"CPU": 16, "GPU": 2}, "auto", {"gpus_per_actor": 0.0, "actors": 4}, Share(4, 4, 0, 4)),
    ],
)
def test_all_actors_together_have_the_clusters_cores(
    resources: dict, device: str, options: dict, expected: Share
) -> None:
    assert (
        share(resources, Settings(device=device), BatchSettings(engine="ray", **options))
        == expected
    )


@pytest.mark.parametrize(
    ("resources", "device", "options", "says"),
    [
        ({"CPU": 8}, "cuda", {}, "offers 0 GPUs"),
        ({"CPU": 8, "GPU": 1}, "cuda", {"actors": 2}, "need 2, the cluster has 1"),
        ({"CPU": 8}, "auto", {"gpus_per_actor": 1.0}, "the cluster has 0"),
        ({}, "auto", {}, "no core"),
    ],
)
def test_a_request_that_would_wait_for_ever_is_refused(
    resources: dict, device: str, options: dict, says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        share(resources, Settings(device=device), BatchSettings(engine="ray", **options))


def test_options_of_the_other_engine_are_refused() -> None:
    with pytest.raises(UsageError, match="--engine ray"):
        BatchSettings(actors=2)
    with pytest.raises(UsageError, match="at least 1"):
        BatchSettings(engine="ray", actors=0)


def test_without_ray_the_extra_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"never opened")
    monkeypatch.setitem(sys.modules, "ray", None)
    assert cli.main(["--class", "person", "--engine", "ray", str(tmp_path / "in")]) == 2
    assert install_command("distributed") in capsys.readouterr().err
    assert not (tmp_path / "cleaned").exists()


@pytest.mark.parametrize(
    "error",
    [
        ConnectionError("nobody there"),
        OSError("AF_UNIX path length cannot exceed 107 bytes"),
        RuntimeError("full"),
        Exception("The current node timed out during startup"),
    ],
)
def test_an_unavailable_cluster_has_a_clear_message(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def init(**_: object) -> None:
        raise error

    ray = SimpleNamespace(is_initialized=lambda: False, init=init)
    monkeypatch.setattr(ray_cluster, "require_ray", lambda: ray)
    with pytest.raises(UsageError, match=f"{error}.*RAY_ADDRESS"), ray_cluster.cluster():
        pass


def test_without_its_package_an_address_names_the_extra(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(SystemExit) as stop:
        cli.main(["--class", "person", "s3://bucket-that-nobody-opened/photos"])
    assert stop.value.code == 2
    assert "needs the package s3fs: pip install s3fs" in capsys.readouterr().err
