"""A JPEG keeps its DCT coefficients outside the holes, and none of them inside."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.images import WriteResult, read_photo, write_photo
from remove_objects.pipeline.images.containers.jpeg import Segment, assemble, parse
from remove_objects.pipeline.images.dct import splice, worker
from remove_objects.pipeline.images.dct.blocks import blocks_of, components, refilled
from remove_objects.pipeline.images.modes import as_stored
from remove_objects.pipeline.system.subprocess_pool import SubprocessPool
from remove_objects.pipeline.types import Mask

jpeglib = pytest.importorskip(
    "jpeglib", reason="jpeglib has no wheel for this machine: JPEGs are encoded anew here"
)

HEIGHT, WIDTH = 141, 173  # no multiple of any MCU
FILL = (90, 140, 60)
GREY = 104
HOLE = (slice(40, 95), slice(50, 120))
#: Inside MCUs of any size that the hole covers entirely.
INSIDE = (slice(49, 79), slice(65, 95))


def busy(channels: int = 3, height: int = HEIGHT, width: int = WIDTH) -> Any:
    """Noise on a ramp: all blocks differ, and none is flat."""
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(3).normal(0, 25, (height, width, channels))
    picture = (
        (np.stack([x, y, x + y, 2 * y], -1)[..., :channels] + 40 + noise)
        .clip(0, 255)
        .astype(np.uint8)
    )
    return picture[..., 0] if channels == 1 else picture


def by_opencv(path: Path, sampling: int, **more: int) -> None:
    flags = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling, cv2.IMWRITE_JPEG_QUALITY, 90]
    for name, value in more.items():
        flags += [getattr(cv2, f"IMWRITE_JPEG_{name}"), value]
    assert cv2.imwrite(str(path), busy()[..., ::-1], flags)


MADE = {
    "444": lambda path: by_opencv(path, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
    "422": lambda path: by_opencv(path, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422),
    "420": lambda path: by_opencv(path, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420),
    "440": lambda path: by_opencv(path, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440),
    "411": lambda path: by_opencv(path, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411),
    "restart intervals": lambda path: by_opencv(
        path, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420, RST_INTERVAL=3
    ),
    "progressive": lambda path: Image.fromarray(busy()).save(path, quality=85, progressive=True),
    "grey": lambda path: Image.fromarray(busy(1)).save(path, quality=85),
    "progressive grey": lambda path: Image.fromarray(busy(1)).save(
        path, quality=85, progressive=True
    ),
    "rgb": lambda path: Image.fromarray(busy()).save(path, quality=85, keep_rgb=True),
    "finest tables": lambda path: Image.fromarray(busy()).save(
        path, qtables=[[1] * 64, [1] * 64], subsampling=0
    ),
    "one table": lambda path: Image.fromarray(busy()).save(
        path, qtables=[list(range(3, 67))], subsampling=2
    ),
}


def hole_of(rows: slice, columns: slice, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Mask:
    hole = np.zeros(size, bool)
    hole[rows, columns] = True
    return hole


def clean(source: Path, target: Path, hole: Mask) -> WriteResult:
    photo = read_photo(source)
    rgb = np.empty_like(photo.rgb)
    rgb[:] = FILL if photo.native.layout.mode == "RGB" else GREY
    return write_photo(photo, rgb, hole, target)


def coefficients(path: Path) -> list[Any]:
    jpeg = jpeglib.read_dct(str(path))
    jpeg.load()
    return [plane.copy() for plane in (jpeg.Y, jpeg.Cb, jpeg.Cr)[: jpeg.num_components]]


def touched_blocks(path: Path, hole: Mask) -> list[tuple[Mask, Mask]]:
    """For each component, the blocks that the hole touches and those it covers, pixel by pixel.

    The hole is in the stored orientation.
    """
    with Image.open(path) as image:
        factors = [(c[2], c[1]) for c in image.layer] if len(image.layer) > 1 else [(1, 1)]
    most = [max(f[axis] for f in factors) for axis in (0, 1)]
    touched = []
    for plane, factor in zip(coefficients(path), factors, strict=True):
        step = [8 * m // f for m, f in zip(most, factor, strict=True)]
        pixels = np.zeros(plane.shape[:2], int)
        for y, x in np.argwhere(hole):
            pixels[y // step[0], x // step[1]] += 1
        touched.append((pixels > 0, pixels == step[0] * step[1]))
    return touched


def assert_kept_outside(source: Path, target: Path, hole: Mask) -> None:
    """Assert that untouched blocks are the same, and covered blocks are not."""
    for before, after, (touched, covered) in zip(
        coefficients(source), coefficients(target), touched_blocks(source, hole), strict=True
    ):
        np.testing.assert_array_equal(after[~touched], before[~touched])
        assert (after[covered] != before[covered]).any(axis=(1, 2)).all()
        assert 0 < covered.sum() < touched.sum() < touched.size


@pytest.mark.parametrize("name", MADE)
def test_blocks_that_no_hole_touches_keep_their_coefficients_and_the_others_lose_them(
    name: str, tmp_path: Path
) -> None:
    source, target, hole = tmp_path / "s.jpg", tmp_path / "o.jpg", hole_of(*HOLE)
    MADE[name](source)
    result = clean(source, target, hole)
    assert result.note == ""
    assert_kept_outside(source, target, hole)


@pytest.mark.parametrize("name", MADE)
def test_tables_sampling_and_component_names_stay_as_they_are(name: str, tmp_path: Path) -> None:
    source, target = tmp_path / "s.jpg", tmp_path / "o.jpg"
    MADE[name](source)
    clean(source, target, hole_of(*HOLE))
    with Image.open(source) as old, Image.open(target) as new:
        assert new.quantization == old.quantization
        assert new.layer == old.layer
        assert new.info.get("progressive") == old.info.get("progressive")
        assert [new.info.get(k) for k in ("jfif", "adobe_transform")] == [
            old.info.get(k) for k in ("jfif", "adobe_transform")
        ]


@pytest.mark.parametrize("name", MADE)
def test_the_hole_shows_the_fill_and_pixels_outside_its_blocks_are_identical(
    name: str, tmp_path: Path
) -> None:
    source, target, hole = tmp_path / "s.jpg", tmp_path / "o.jpg", hole_of(*HOLE)
    MADE[name](source)
    clean(source, target, hole)
    before, after = read_photo(source).rgb.astype(int), read_photo(target).rgb.astype(int)
    fill = GREY if "grey" in name else FILL
    assert np.abs(after[INSIDE] - fill).max() <= 6
    far = ~cv2.dilate(hole.astype(np.uint8), np.ones((67, 67))).astype(
        bool
    )  # the largest MCU is 32 wide, and a pixel for upsampling
    assert far.sum() > 1000
    np.testing.assert_array_equal(after[far], before[far])


@pytest.mark.parametrize("name", ["444", "422", "420", "440", "411"])
def test_no_trace_of_the_object_remains_in_the_padding_beyond_the_photos_edge(
    name: str, tmp_path: Path
) -> None:
    """The last blocks reach over the edge, where encoders repeat the last pixels.

    A decoder cuts them off, but they can be recovered from the file.
    """
    source, target = tmp_path / "s.jpg", tmp_path / "o.jpg"
    MADE[name](source)
    clean(source, target, hole_of(slice(100, HEIGHT), slice(120, WIDTH)))
    jpeg = jpeglib.read_dct(str(target))
    jpeg.load()
    steps = jpeg.qt[jpeg.quant_tbl_no[0]].astype(float)
    waves = [
        [
            np.cos((2 * x + 1) * u * np.pi / 16) * (np.sqrt(1 / 8) if u == 0 else 0.5)
            for x in range(8)
        ]
        for u in range(8)
    ]
    for block in (jpeg.Y[-1, -1], jpeg.Y[-1, -2], jpeg.Y[-2, -1]):
        samples = np.transpose(waves) @ (block * steps) @ np.array(waves) + 128
        assert np.ptp(samples) < 6  # the fill is flat, unlike the photo


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("name", ["420", "422", "440"])
def test_a_photo_turned_by_exif_keeps_its_stored_coefficients(
    turn: int, name: str, tmp_path: Path
) -> None:
    plain, source, target = tmp_path / "p.jpg", tmp_path / "s.jpg", tmp_path / "o.jpg"
    MADE[name](plain)
    exif = Image.Exif()
    exif[0x0112] = turn
    parsed = parse(plain.read_bytes())
    source.write_bytes(assemble([Segment(0xE1, exif.tobytes()), *parsed.segments]))
    photo = read_photo(source)
    upright = hole_of(slice(10, 60), slice(5, 53), photo.size)
    assert clean(source, target, upright).note == ""
    stored = as_stored(upright.view("u1"), turn).view(bool)
    assert stored.shape == (HEIGHT, WIDTH)
    assert_kept_outside(source, target, stored)
    assert np.abs(read_photo(target).rgb[upright].astype(int) - FILL).mean() < 8
    with Image.open(target) as new:
        assert new.getexif()[0x0112] == turn


def test_without_a_hole_every_coefficient_stays(tmp_path: Path) -> None:
    MADE["420"](tmp_path / "s.jpg")
    result = clean(tmp_path / "s.jpg", tmp_path / "o.jpg", np.zeros((HEIGHT, WIDTH), bool))
    assert (result.changed_outside, result.psnr_outside, result.note) == (0, None, "")
    for before, after in zip(
        coefficients(tmp_path / "s.jpg"), coefficients(tmp_path / "o.jpg"), strict=True
    ):
        np.testing.assert_array_equal(after, before)


def test_fewer_pixels_outside_the_hole_change_than_by_encoding_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    MADE["420"](tmp_path / "s.jpg")
    hole = hole_of(*HOLE)
    kept = clean(tmp_path / "s.jpg", tmp_path / "o.jpg", hole)
    monkeypatch.setattr(splice.importlib.util, "find_spec", lambda name: None)
    anew = clean(tmp_path / "s.jpg", tmp_path / "a.jpg", hole)
    assert (
        anew.note
        == "all of the JPEG was encoded anew, because the package jpeglib is not installed"
    )
    assert kept.changed_outside < anew.changed_outside / 4
    assert kept.psnr_outside is not None
    assert anew.psnr_outside is not None
    assert kept.psnr_outside > anew.psnr_outside + 3


def test_an_arithmetic_coded_jpeg_keeps_its_coefficients(tmp_path: Path) -> None:
    MADE["420"](tmp_path / "p.jpg")
    source = tmp_path / "s.jpg"
    jpeglib.version.set("turbo210")
    jpeg = jpeglib.read_dct(str(tmp_path / "p.jpg"))
    jpeg.load()
    jpeg.write_dct(str(source), flags=["+ARITH_CODE"])
    assert parse(source.read_bytes()).frame.marker == 0xC9  # type: ignore[union-attr]
    hole = hole_of(*HOLE)
    assert clean(source, tmp_path / "o.jpg", hole).note == ""
    assert_kept_outside(tmp_path / "p.jpg", tmp_path / "o.jpg", hole)


@pytest.mark.parametrize("ycck", [False, True])
def test_cmyk_is_encoded_anew_with_a_note_and_no_trace_in_any_of_its_four_components(
    ycck: bool, tmp_path: Path
) -> None:
    source, target = tmp_path / "s.jpg", tmp_path / "o.jpg"
    Image.fromarray(busy(4), "CMYK").save(source, quality=90, subsampling=0)
    if ycck:
        content = source.read_bytes()
        at = content.index(b"Adobe") + 11
        source.write_bytes(content[:at] + b"\x02" + content[at + 1 :])
    result = clean(source, target, hole_of(*HOLE))
    assert result.note == "all of the JPEG was encoded anew, because it has four components (CMYK)"
    with Image.open(target) as new:
        assert new.mode == "CMYK"
        assert np.asarray(new)[INSIDE].reshape(-1, 4).std(axis=0).max() < 3


def test_a_crashed_worker_costs_one_photo_its_coefficients_and_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    MADE["420"](tmp_path / "s.jpg")
    pool = SubprocessPool(worker.main)
    monkeypatch.setattr(splice, "_workers", pool)

    with monkeypatch.context() as broken:
        broken.setattr(pool, "code", "import os, sys; sys.stdin.readline(); os.abort()")
        result = clean(tmp_path / "s.jpg", tmp_path / "o.jpg", hole_of(*HOLE))
    assert result.note == "all of the JPEG was encoded anew, because the library failed on it"
    assert result.psnr_outside is not None
    assert result.psnr_outside > 25
    assert clean(tmp_path / "s.jpg", tmp_path / "o.jpg", hole_of(*HOLE)).note == ""
    pool.idle[0].kill()  # as a system short of memory might do
    pool.idle[0].wait()
    assert clean(tmp_path / "s.jpg", tmp_path / "o.jpg", hole_of(*HOLE)).note == ""
    pool.close()


def test_a_file_that_the_library_refuses_is_an_answer_and_no_copy_of_the_photo_remains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    MADE["420"](tmp_path / "s.jpg")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.setenv("TMPDIR", str(scratch))  # the worker's
    pool = SubprocessPool(worker.main)
    monkeypatch.setattr(splice, "_workers", pool)
    parsed = parse((tmp_path / "s.jpg").read_bytes())
    without_tables = assemble(s for s in parsed.segments if s.marker != 0xDB)
    hole = hole_of(*HOLE)
    with pytest.raises(splice.SpliceError, match="the library refused it"):
        splice.splice(without_tables, busy(), hole)
    assert os.listdir(scratch) == []
    real = splice._write_request

    def in_the_way(path: Path, *rest: Any, **more: Any) -> None:
        (path.parent / "target.jpg").mkdir()
        real(path, *rest, **more)

    with (
        monkeypatch.context() as blocked,
        pytest.raises(splice.SpliceError, match="the library refused it"),
    ):
        blocked.setattr(splice, "_write_request", in_the_way)
        splice.splice(
            (tmp_path / "s.jpg").read_bytes(), busy(), hole
        )  # fails last, after its copies are made
    assert os.listdir(scratch) == []
    assert splice.splice((tmp_path / "s.jpg").read_bytes(), busy(), hole)[
        0
    ]  # the same worker continues
    assert os.listdir(scratch) == []
    assert len(pool.idle) == 1
    pool.close()


def test_a_result_that_changed_elsewhere_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from remove_objects.pipeline.images import keep

    MADE["420"](tmp_path / "s.jpg")
    real = keep.splice
    monkeypatch.setattr(
        keep, "splice", lambda *given: (real(*given)[0], np.zeros((HEIGHT, WIDTH), bool))
    )
    result = clean(tmp_path / "s.jpg", tmp_path / "o.jpg", hole_of(*HOLE))
    assert (
        result.note
        == "all of the JPEG was encoded anew, because pixels away from the holes changed"
    )


def test_damaged_files_that_can_be_read_are_written_or_encoded_anew(tmp_path: Path) -> None:
    """Wrong bytes in tables and scans that the decoder accepts: the photo is always written."""
    from remove_objects.pipeline.errors import UnreadableError

    random, done = np.random.default_rng(5), 0
    for name in ("420", "progressive", "restart intervals"):
        MADE[name](tmp_path / "w.jpg")
        content = np.frombuffer((tmp_path / "w.jpg").read_bytes(), np.uint8)
        for _ in range(25):
            damaged = content.copy()
            damaged[random.integers(20, len(content), 3)] = random.integers(0, 256, 3)
            (tmp_path / "d.jpg").write_bytes(damaged.tobytes())
            try:
                photo = read_photo(tmp_path / "d.jpg", max_pixels=1_000_000)
            except UnreadableError:
                continue
            done += 1
            hole = hole_of(slice(0, photo.size[0] // 2), slice(0, photo.size[1] // 2), photo.size)
            write_photo(photo, np.full_like(photo.rgb, 90), hole, tmp_path / "o.jpg")
            assert read_photo(tmp_path / "o.jpg").size == photo.size
    assert done > 30


def test_threads_do_not_mix_up_their_photos(tmp_path: Path) -> None:
    Image.fromarray(busy()).save(tmp_path / "a.jpg", quality=90)
    Image.fromarray(255 - busy()).save(tmp_path / "b.jpg", quality=90)
    notes: list[str] = []

    def work(name: str, number: int) -> None:
        for _ in range(4):
            notes.append(
                clean(
                    tmp_path / f"{name}.jpg", tmp_path / f"{name}{number}.jpg", hole_of(*HOLE)
                ).note
            )

    threads = [
        threading.Thread(target=work, args=(name, number)) for name in "ab" for number in (1, 2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert notes == [""] * 16  # a mixed-up result would have been detected and encoded anew


def test_refilled_blocks_are_the_transform_of_their_samples() -> None:
    table = np.full((8, 8), 2, np.uint16)
    old = np.zeros((2, 8, 8), np.int16)
    old[:, 0, 0] = 40  # decodes to 128 + 40 * 2 / 8 = 138
    hole = np.zeros((2, 8, 8), bool)
    hole[1] = True
    new = refilled(old, table, np.full((2, 8, 8), 200, np.float32), hole)
    np.testing.assert_array_equal(new[0], old[0])
    assert new[1, 0, 0] == (200 - 128) * 8 / 2
    assert np.count_nonzero(new[1]) == 1


def test_components_and_blocks_by_hand() -> None:
    grey, red = np.full((16, 16), 7, np.uint8), np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 255
    assert [plane[0, 0] for plane in components(grey, rgb=False)] == [7]
    np.testing.assert_allclose(
        [plane[0, 0] for plane in components(red, rgb=False)], [76.245, 84.972, 255.5], atol=0.01
    )
    assert [plane[0, 0] for plane in components(red, rgb=True)] == [255, 0, 0]
    hole = np.zeros((16, 16), bool)
    hole[3, 2] = True
    assert np.argwhere(blocks_of(hole, (2, 2))).tolist() == [[0, 0, 1, 1]]
    assert np.argwhere(blocks_of(hole, (1, 1))).tolist() == [[0, 0, 3, 2]]
    assert (
        blocks_of(np.arange(256, dtype=np.float32).reshape(16, 16), (2, 2))[0, 0, 0, 0]
        == (0 + 1 + 16 + 17) / 4
    )
