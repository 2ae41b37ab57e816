"""The service as other programs meet it: the examples of its page, its answers, and its guard."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from remove_objects.pipeline import cli
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import UsageError
from remove_objects.pipeline.serve import app as app_module
from remove_objects.pipeline.serve import service as service_module
from remove_objects.pipeline.serve.service import (
    KEPT_SECONDS,
    WAITING,
    BusyError,
    Service,
    UnknownError,
)
from remove_objects.pipeline.system.extras import install_command
from tests.support.asking import ask
from tests.support.scenes import scene
from tests.support.states.networks import cheap_networks
from tests.support.waiting import wait_for

ROOT = Path(__file__).parents[3]
PROCESS = ROOT / "tests" / "support" / "serve_process.py"
BOX = (20, 20, 12, 16)
pytestmark = pytest.mark.network


def encoded(kind: str = "PNG", **how: object) -> bytes:
    """A photo of a person, as a file's bytes."""
    file = io.BytesIO()
    Image.fromarray(scene(60, 80, **{"person": BOX, **how})).save(file, kind)
    return file.getvalue()


def white_box() -> bytes:
    """A mask of another place than the person's."""
    mask = np.zeros((60, 80), np.uint8)
    mask[5:15, 50:60] = 255
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "PNG")
    return file.getvalue()


class Served:
    """A service in its own process.

    Attributes:
        port: its port.
        place: the folder in which its temporary files lie.
    """

    def __init__(self, place: Path, *arguments: str) -> None:
        self.place = place
        command = [sys.executable, str(PROCESS), "--port", "0", "--no-probe", "--offline"]
        slow, here = str(place / "slow"), str(place)
        with open(place / "stderr", "wb") as errors:
            self.process = subprocess.Popen(
                [*command, *arguments],
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=place,
                env={**os.environ, "SERVE_SLOW": slow, "TMPDIR": here, "OMP_NUM_THREADS": "1"},
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        address = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
        assert address, line + (place / "stderr").read_text()
        self.port = int(address[1])

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, bytes, dict[str, str]]:
        """Send a request; returns status, body and headers."""
        return ask(self.port, method, path, body, **headers)

    def post(
        self, photo: bytes | None, *, query: str = "", mask: bytes | None = None, **fields: str
    ) -> tuple[int, bytes, dict[str, str]]:
        """Send a photo as a browser's form does."""
        line = b"--limit\r\nContent-Disposition: form-data; name="
        parts = [line + f'"{k.rstrip("_")}"\r\n\r\n{v}\r\n'.encode() for k, v in fields.items()]
        for name, content in (("photo", photo), ("mask", mask)):
            if content is not None:
                head = f'"{name}"; filename="C:\\x\\a {name}.png"\r\n\r\n'.encode()
                parts.append(line + head + content + b"\r\n")
        body = b"".join([*parts, b"--limit--\r\n"])
        kind = "multipart/form-data; boundary=limit"
        return self.ask("POST", f"/photos{query}", body, Content_Type=kind)

    def error(self, answer: tuple[int, bytes, dict[str, str]]) -> tuple[int, str, str]:
        """Return the status, the code and the message of an error answer."""
        content = json.loads(answer[1])
        assert set(content) == {"error", "code"}
        return answer[0], content["code"], content["error"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One service for all tests, because it takes seconds to start."""
    service = Served(tmp_path_factory.mktemp("serve"), "--class", "person")
    try:
        yield service
        assert sorted(end_amid_a_photo(service)) == [200, 503]
        assert not list(service.place.glob("mask-board-*")), "its results go with it"
        assert not list(service.place.glob("remove-objects-*"))
        assert "Traceback" not in (service.place / "stderr").read_text()
    finally:
        service.process.kill()
        service.process.wait()
        assert service.process.stdout is not None
        service.process.stdout.close()


def end_amid_a_photo(served: Served) -> list[int]:
    """End a service that cleans one photo while another waits; returns how both were answered."""
    slow, answers = served.place / "slow", list[int]()
    slow.touch()
    threads = [
        threading.Thread(target=lambda: answers.append(served.post(encoded())[0])) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    wait_for(lambda: list(served.place.glob("mask-board-*/files/*/remove-objects-*")))
    threads[0].join(0.3)  # until the other waits
    served.process.send_signal(signal.SIGTERM)
    threads[0].join(0.3)
    slow.unlink()
    for thread in threads:
        thread.join(60)
    assert served.process.wait(60) == 0
    return answers


def opened(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


def examples() -> dict[str, str]:
    """The examples of the page, by their first words."""
    page = (ROOT / "docs" / "serve.md").read_text(encoding="utf-8")
    blocks = [textwrap.dedent(block) for block in re.findall(r"(?:^ {4}.*\n|^\n)+", page, re.M)]
    found = {block.split()[0]: block.strip() for block in blocks if block.strip()}
    assert {"curl", "import"} <= set(found)
    return found


def test_the_curl_example(served: Served, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(encoded("JPEG"))
    command = examples()["curl"].replace("127.0.0.1:7880", f"127.0.0.1:{served.port}")
    subprocess.run(["bash", "-ec", command], cwd=tmp_path, check=True, capture_output=True)
    result = opened((tmp_path / "cleaned.jpg").read_bytes())
    assert result.shape == (60, 80, 3)
    assert result[28, 26, 0] < 200, "the person is red"


def test_the_python_example(served: Served, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(encoded("JPEG"))
    code = examples()["import"].replace("127.0.0.1:7880", f"127.0.0.1:{served.port}")
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout.startswith("review ")
    assert opened((tmp_path / "cleaned.jpg").read_bytes())[28, 26, 0] < 200
    mask = opened((tmp_path / "mask.png").read_bytes())
    assert mask[28, 26]
    assert not mask[2, 2]


def test_a_photo_in_result_mask_and_outcome_out(served: Served) -> None:
    status, body, _ = served.post(encoded())
    assert status == 200
    cleaned = json.loads(body)
    assert cleaned["status"] == "review"
    assert cleaned["name"] == "a photo.png"
    assert cleaned["outcome"]["input"] == "a photo.png"
    assert cleaned["outcome"]["holes"]
    assert str(served.place) not in body.decode()
    status, result, headers = served.ask("GET", cleaned["result"])
    assert status == 200
    assert headers["content-type"] == "image/png"
    assert "a%20photo.png" in headers["content-disposition"]
    _, mask, _ = served.ask("GET", cleaned["mask"])
    before, after, removed = opened(encoded()), opened(result), opened(mask) > 0
    assert (before[~removed] == after[~removed]).all()
    assert (before[removed] != after[removed]).any()
    assert json.loads(served.ask("GET", f"/photos/{cleaned['photo']}")[1]) == cleaned
    assert served.ask("DELETE", f"/photos/{cleaned['photo']}")[0] == 204
    assert served.error(served.ask("GET", cleaned["result"]))[:2] == (404, "unknown")


def test_the_result_itself_with_its_status(served: Served) -> None:
    status, body, headers = served.post(encoded(person=None), query="?answer=result")
    assert (status, headers["x-status"]) == (200, "unchanged")
    assert body == encoded(person=None)
    photo = json.loads(served.ask("GET", f"/photos/{headers['x-photo']}")[1])
    assert photo["mask"] is None
    assert served.error(served.ask("GET", f"/photos/{photo['photo']}/mask"))[1] == "unknown"


def test_an_own_mask_and_another_class(served: Served) -> None:
    cleaned = json.loads(served.post(encoded(), mask=white_box())[1])
    mask = opened(served.ask("GET", cleaned["mask"])[1])
    assert mask[10, 55]
    assert not mask[28, 26], "the person stays"
    assert json.loads(served.post(encoded(), class_="dog, cats")[1])["status"] == "unchanged"


def test_errors_say_what_is_wrong(served: Served) -> None:
    assert served.error(served.post(encoded(), class_="unicorn"))[:2] == (400, "usage")
    status, code, message = served.error(served.post(b"no picture"))
    assert (status, code) == (422, "unreadable")
    assert message.startswith("a photo.png: ")
    status, code, message = served.error(served.post(encoded(), mask=b"no picture"))
    assert (status, code) == (422, "unreadable")
    assert str(served.place) not in message
    assert served.error(served.post(None))[:2] == (400, "usage")
    assert served.error(served.post(encoded(), query="?answer=x"))[:2] == (400, "usage")


def test_it_describes_itself(served: Served) -> None:
    status, body, _ = served.ask("GET", "/openapi.json")
    description = json.loads(body)
    assert status == 200
    assert description["openapi"].startswith("3.")
    assert set(description["paths"]) == {
        "/",
        "/photos",
        "/photos/{photo}",
        "/photos/{photo}/result",
        "/photos/{photo}/mask",
    }
    form = description["paths"]["/photos"]["post"]["requestBody"]["content"]["multipart/form-data"]
    fields = description["components"]["schemas"][form["schema"]["$ref"].rpartition("/")[2]]
    assert set(fields["properties"]) == {"photo", "class", "mask"}
    assert fields["required"] == ["photo"]
    answer = description["components"]["schemas"]["Cleaned"]
    assert {"photo", "status", "result", "mask", "outcome"} <= set(answer["properties"])
    assert json.loads(served.ask("GET", "/")[1])["openapi"] == "/openapi.json"


def test_the_guard_is_the_boards(served: Served) -> None:
    ask = served.ask
    assert ask("GET", "/", Host="evil.example")[0] == 403
    assert ask("POST", "/photos", b"", Origin="http://evil.example")[0] == 403
    assert ask("POST", "/photos", b"", Sec_Fetch_Site="cross-site")[0] == 403
    for path in ("/docs", "/redoc", "/photos/x/result", "/photos/../etc", "/static/x"):
        assert ask("GET", path)[0] == 404, path
    assert ask("POST", "/photos", b"", Content_Length=str(201 << 20))[0] == 413
    _, _, headers = ask("GET", "/")
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]


def test_one_photo_at_a_time_and_the_rest_is_turned_away(served: Served) -> None:
    slow = served.place / "slow"
    slow.touch()
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(served.post(encoded())[0]))
        for _ in range(WAITING + 3)
    ]
    try:
        for thread in threads:
            thread.start()
        for _ in range(3000):
            if len(answers) == 2:
                break
            threads[0].join(0.01)
    finally:
        slow.unlink()
    for thread in threads:
        thread.join(60)
    assert answers[:2] == [503, 503]
    assert answers[2:] == [200] * (WAITING + 1)


def sent(served: Served, text: str) -> tuple[int, bytes, dict[str, str]]:
    """Send a form as it is."""
    kind = "multipart/form-data; boundary=limit"
    return served.ask("POST", "/photos", text.encode(), Content_Type=kind)


def test_every_error_answer_has_its_message_and_code(served: Served) -> None:
    field = '--limit\r\nContent-Disposition: form-data; name="class"\r\n\r\n'
    for broken in ("no form", f"{field}{'x' * (2 << 20)}\r\n--limit--", f"{field}x\r\n" * 1001):
        assert served.error(sent(served, broken))[:2] == (400, "usage")
    no_boundary = served.ask("POST", "/photos", b"", Content_Type="multipart/form-data")
    assert served.error(no_boundary)[:2] == (400, "usage")
    for method, path in (("PUT", "/photos"), ("GET", "/photos"), ("POST", "/openapi.json")):
        assert served.error(served.ask(method, path))[:2] == (405, "usage")


@contextlib.contextmanager
def with_little_room(served: Served, size: int) -> Iterator[None]:
    """No file of the service may become larger: its disk is full."""
    import resource  # Windows has none

    process, kind = served.process.pid, resource.RLIMIT_FSIZE
    before = resource.prlimit(process, kind)
    resource.prlimit(process, kind, (size, before[1]))
    try:
        yield
    finally:
        resource.prlimit(process, kind, before)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are Linux's")
def test_a_full_disk_is_told_and_the_service_goes_on(served: Served) -> None:
    with with_little_room(served, 1 << 20):
        status, body, _ = served.post(bytes(6 << 20))  # the guard's own file
        assert status == 507
        assert str(served.place).encode() in body
        assert b"make room there" in body
        status, code, message = served.error(served.post(bytes(3 << 20)))  # the form's
        assert (status, code) == (507, "unwritable")
        assert str(served.place) in message
    assert served.post(encoded())[0] == 200


def test_a_cleared_temporary_folder_is_made_anew(served: Served) -> None:
    first = json.loads(served.post(encoded())[1])
    for folder in served.place.glob("mask-board-*"):
        shutil.rmtree(folder)
    assert served.error(served.ask("GET", first["result"]))[:2] == (404, "unknown")
    assert served.post(encoded())[0] == 200
    (folder,) = served.place.glob("mask-board-*")
    assert folder.stat().st_mode & 0o77 == 0, "only this user reads it"


def test_clients_that_stall_do_not_keep_it_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVE_ANSWERING", "1")
    served = Served(tmp_path, "--class", "person")
    host = f"Host: 127.0.0.1:{served.port}\r\n"
    stalled = [
        f"POST /photos HTTP/1.1\r\n{host}Content-Type: multipart/form-data; boundary=x\r\n"
        "Content-Length: 1000\r\n\r\n--x",
        "GET / HT",
        "",
    ]
    with contextlib.ExitStack() as open_until_then:
        for text in stalled:
            place = ("127.0.0.1", served.port)
            client = open_until_then.enter_context(socket.create_connection(place))
            client.sendall(text.encode())
        assert served.ask("GET", "/")[0] == 200
        served.process.send_signal(signal.SIGTERM)
        try:
            assert served.process.wait(60) == 0
        finally:
            served.process.kill()
            served.process.communicate()
    assert not list(tmp_path.glob("mask-board-*"))


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A service without a server, on a clock that a test sets."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with cheap_networks():
        made = Service(Settings(probe=False), BatchSettings(), clock=lambda: service_now[0])
        service_now[0] = 0.0
        yield made
        made.close()
    assert not list(tmp_path.iterdir())


service_now = [0.0]


def test_an_error_about_an_option_of_a_file_names_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    taken = {"/home/me/remove-objects.toml": {"device": "cuda"}}
    made = Service(Settings(device="cuda"), BatchSettings(), settings_from=taken)
    try:
        client = TestClient(app_module.build(made, "127.0.0.1"), base_url="http://127.0.0.1")
        form = {"photo": ("a.png", encoded(), "image/png")}
        answer = client.post("/photos", files=form, data={"class": "person"})
    finally:
        made.close()
    assert answer.json()["error"] == (
        "--device cuda: this machine offers cpu; --device is from /home/me/remove-objects.toml"
    )


def test_results_are_bounded_by_number_and_age(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "KEPT", 2)
    keys = [service.clean(io.BytesIO(encoded(seed=n)), "a.png", ["person"]).photo for n in range(3)]
    folders = [path for path in service._folder.path.iterdir() if path.name != "uploads"]
    assert sorted(path.name for path in folders) == sorted(keys[1:])
    with pytest.raises(UnknownError, match="no such result"):
        service.found(keys[0])
    service_now[0] = KEPT_SECONDS + 1
    with pytest.raises(UnknownError):
        service.file(keys[-1], "result")
    assert [path.name for path in service._folder.path.iterdir()] == ["uploads"]


def test_a_failure_leaves_nothing_and_frees_its_place(service: Service) -> None:
    for _ in range(WAITING + 5):
        with pytest.raises(Exception, match=r"a\.png: "):
            service.clean(io.BytesIO(b"no picture"), "../a.png", ["person"])
    assert [path.name for path in service._folder.path.iterdir()] == ["uploads"]
    with pytest.raises(UsageError, match="name what to remove"):
        service.clean(io.BytesIO(encoded()), "a.png", [])
    for _ in range(WAITING + 1):
        service._places.acquire()
    with pytest.raises(BusyError, match="wait already"):
        service.clean(io.BytesIO(encoded()), "a.png", ["person"])


def test_the_networks_load_once(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("networks load again")

    service.clean(io.BytesIO(encoded()), "a.png", ["person"])
    monkeypatch.setattr(service_module, "ObjectRemover", refuse)
    monkeypatch.setattr("remove_objects.pipeline.batch.stream.ObjectRemover", refuse)
    service.clean(io.BytesIO(encoded()), "a.png", ["person"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["photos"], "takes no photos or folders"),
        (["-o", "out"], "--output belongs to a folder"),
        (["--masks", "m"], "--masks belongs to a folder"),
        (["--class", "unicorn"], "unicorn"),
        (["--host", "no.such.host.invalid"], "no such address"),
    ],
)
def test_a_wrong_call_ends_with_code_2(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["serve", *arguments]) == 2
    assert says in capsys.readouterr().err


def test_without_fastapi_the_message_names_the_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "fastapi", None)
    monkeypatch.delitem(sys.modules, "remove_objects.pipeline.serve.app", raising=False)
    assert cli.main(["serve"]) == 2
    assert install_command("serve") in capsys.readouterr().err
