"""Count what a run in a bucket asks of the store: requests and bytes, by kind of file.

    python -m benchmarks.speed.requests --count 10                  # photos of one place
    python -m benchmarks.speed.requests --count 10 --series off

The bucket is fsspec's filesystem in memory, and the engine is the local one with one photo at a
time: an actor of a cluster asks for the same. The photos are overlapping crops of a sample picture,
numbered as a camera numbers them, so that they are one series.
"""

from __future__ import annotations

import argparse
import json
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import fsspec

from benchmarks.speed.pipeline import SAMPLE
from remove_objects.pipeline.batch.run import remove_folder
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.storage.location import RemotePath, parse_location

#: Height and width of a photo.
SIZE = (768, 1024)
#: By the names of ``RemotePath``'s methods that ask the store once: the request.
REQUESTS = {"stamp": "HEAD", "read": "GET", "fetch": "GET", "put": "PUT"}


def upload(count: int) -> int:
    """Put the photos into the bucket; returns their bytes together."""
    store, total = fsspec.filesystem("memory"), 0
    picture = cv2.imread(str(SAMPLE))
    assert picture is not None
    height, width = SIZE
    picture = cv2.resize(picture, (width + 8 * count, height + 4 * count))
    for i in range(count):
        crop = picture[4 * i : 4 * i + height, 8 * i : 8 * i + width]
        content = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()
        store.pipe_file(f"/in/IMG_{i:04d}.jpg", content)
        total += len(content)
    return total


def kind(path: str) -> str:
    """What a file of the bucket is."""
    if path.startswith("/in/"):
        return "photo"
    if "claims" in path:
        return "claim"
    if "journal" in path:
        return "journal"
    if PurePosixPath(path).parent.name:
        return "result" if PurePosixPath(path).parent.name == "out" else "preview or kept mask"
    return "other"


def counted(asked: Counter[tuple[str, str, str]], bytes_read: Counter[tuple[str, str]]) -> None:
    """Let every request count, by (request, kind of file, who asks), and its bytes.

    Who asks is the driver, or threads: of workers, and of the page that downloads its previews.
    """

    def wrapped(name: str, ask: Callable[..., Any]) -> Callable[..., Any]:
        def asking(self: RemotePath, *args: Any, **options: Any) -> Any:
            is_driver = threading.current_thread() is threading.main_thread()
            who, of = "driver" if is_driver else "threads", kind(self.path)
            asked[REQUESTS[name], of, who] += 1
            answer = ask(self, *args, **options)
            if name == "fetch":
                bytes_read[of, who] += Path(args[0]).stat().st_size
            elif name == "read":
                bytes_read[of, who] += len(answer or b"")
            return answer

        return asking

    for name in REQUESTS:
        setattr(RemotePath, name, wrapped(name, getattr(RemotePath, name)))


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=10, help="photos (default 10)")
    parser.add_argument("--series", choices=("auto", "off"), default="auto")
    args = parser.parse_args()
    total = upload(args.count)
    asked, bytes_read = Counter[tuple[str, str, str]](), Counter[tuple[str, str]]()
    counted(asked, bytes_read)
    batch = BatchSettings(
        classes=("person",), output=parse_location("memory://out"), workers=1, series=args.series
    )
    settings = Settings(segmenter="compact", device="cpu", offline=True, probe=False)
    result = remove_folder([parse_location("memory://in")], settings, batch)
    lent = [p for p in result.photos if any(hole.get("borrowed") for hole in p["holes"])]
    print(
        json.dumps(
            {
                "photos": args.count,
                "bytes_a_photo": total // args.count,
                "photos_that_borrow": len(lent),
                "requests_a_photo": {
                    " ".join(key): round(n / args.count, 2) for key, n in sorted(asked.items())
                },
                "bytes_read_by_a_photos_bytes": {
                    " ".join(key): round(n / total, 2) for key, n in sorted(bytes_read.items())
                },
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
