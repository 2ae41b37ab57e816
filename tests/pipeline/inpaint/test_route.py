"""The choice of the network: borders, faces that stay, and faces that are removed themselves."""

import numpy as np
import pytest

from remove_objects.pipeline.detect.mask import dilate, find_holes
from remove_objects.pipeline.inpaint.route import FACE_REGION, choose_route, face_region, least_face
from remove_objects.pipeline.types import Box, Face, Hole, Route


def holes_of(*boxes: Box, size: tuple[int, int] = (300, 400)) -> tuple[np.ndarray, list[Hole]]:
    """(hole mask of rectangles, its holes)."""
    mask = np.zeros(size, bool)
    for box in boxes:
        mask[box.slices] = True
    return mask, find_holes(mask)


def test_a_hole_in_the_middle_is_free_form() -> None:
    mask, (hole,) = holes_of(Box(100, 100, 60, 80))
    assert choose_route(hole, mask, []).route is Route.FREE_FORM


@pytest.mark.parametrize(
    ("box", "side"),
    [
        (Box(0, 50, 60, 90), "left"),
        (Box(340, 50, 60, 90), "right"),
        (Box(100, 0, 90, 60), "top"),
        (Box(100, 240, 90, 60), "bottom"),
    ],
)
def test_a_hole_at_a_border_is_an_edge_hole(box: Box, side: str) -> None:
    mask, (hole,) = holes_of(box)
    routing = choose_route(hole, mask, [])
    assert routing.route is Route.EDGE
    assert side in routing.why
    assert "90 pixels" in routing.why


def test_a_sliver_at_the_border_is_no_edge_hole() -> None:
    mask = np.zeros((300, 400), bool)
    mask[100:200, 5:80] = True
    mask[150:154, 0:5] = True  # four pixels touch the border
    (hole,) = find_holes(mask)
    assert choose_route(hole, mask, []).route is Route.FREE_FORM


def test_a_small_hole_on_a_face_that_stays_goes_to_the_face_network() -> None:
    face = Face(Box(100, 80, 100, 120), 0.9)
    mask, (hole,) = holes_of(Box(130, 150, 40, 30))
    routing = choose_route(hole, mask, [face])
    assert routing.route is Route.FACE
    assert "stays" in routing.why


def test_a_removed_persons_own_face_never_goes_to_the_face_network() -> None:
    """The ghost-face rule, for a person of any size anywhere.

    The hole covers head and body; the detector sees the head.
    """
    rng = np.random.default_rng(0)
    for _ in range(200):
        mask = np.zeros((400, 500), bool)
        head = int(rng.integers(20, 90))
        x, y = int(rng.integers(head, 500 - head)), int(rng.integers(head, 250))
        yy, xx = np.mgrid[:400, :500]
        mask |= ((xx - x) / (0.45 * head)) ** 2 + ((yy - y) / (0.6 * head)) ** 2 <= 1
        mask[y + head // 2 : min(399, y + 4 * head), max(0, x - head) : x + head] = True
        mask = dilate(mask, 5)
        # Detectors are imprecise: the box is off by up to a tenth of the head.
        jitter = rng.integers(-head // 10, head // 10 + 1, 2)
        face = Face(
            Box(
                max(0, x - int(0.4 * head) + int(jitter[0])),
                max(0, y - int(0.5 * head) + int(jitter[1])),
                int(0.8 * head),
                head,
            ),
            0.9,
        )
        for hole in find_holes(mask):
            assert choose_route(hole, mask, [face]).route is not Route.FACE


def test_even_a_hole_of_the_head_alone_is_no_face() -> None:
    face = Face(Box(100, 80, 100, 120), 0.9)
    mask, (hole,) = holes_of(Box(95, 75, 110, 130))
    routing = choose_route(hole, mask, [face])
    assert routing.route is Route.FREE_FORM
    assert "removed itself" in routing.why


def test_a_face_hidden_by_two_holes_together_does_not_stay() -> None:
    face = Face(Box(100, 80, 100, 120), 0.9)
    mask = np.zeros((300, 400), bool)
    mask[80:200, 100:140] = True
    mask[80:200, 165:200] = True
    for hole in find_holes(mask):
        assert choose_route(hole, mask, [face]).route is Route.FREE_FORM


def test_a_large_hole_that_grazes_a_face_is_not_on_it() -> None:
    face = Face(Box(100, 80, 60, 70), 0.9)
    mask, (hole,) = holes_of(Box(150, 60, 180, 200))
    assert choose_route(hole, mask, [face]).route is Route.FREE_FORM


@pytest.mark.parametrize("wanted", list(Route))
def test_the_user_overrides(wanted: Route) -> None:
    mask, (hole,) = holes_of(Box(0, 50, 60, 90))
    assert choose_route(hole, mask, [], wanted.value).route is wanted


def test_the_face_region_is_a_square_around_the_face() -> None:
    region = face_region(Face(Box(100, 80, 100, 120), 1.0))
    assert region.w == region.h == round(FACE_REGION * 120)
    assert region.x + region.w // 2 == 150


@pytest.mark.parametrize("side", [20, 45, 90])
def test_a_face_smaller_than_the_least_one_never_takes_a_hole(side: int) -> None:
    mask, holes = holes_of(Box(150, 100, side, side))
    least = least_face(holes)
    for share, on_face in ((0.9, False), (1.3, True)):
        length = round(share * least)
        x = 150 + side // 2 - length // 2
        # The region's centre is a little above its box's.
        face = Face(Box(x, 100 + side // 2 - round(0.47 * length), length, length), 0.9)
        route = choose_route(holes[0], np.zeros_like(mask), [face]).route
        assert (route is Route.FACE) is on_face


def test_the_least_face_follows_the_smallest_hole() -> None:
    _, (small,) = holes_of(Box(100, 100, 20, 20))
    _, both = holes_of(Box(100, 100, 20, 20), Box(200, 50, 100, 200))
    assert least_face(both) == least_face([small])


@pytest.mark.parametrize("seed", range(6))
def test_no_smaller_face_takes_a_hole_of_any_shape(seed: int) -> None:
    """Of square faces wherever they may be, none below the least one takes the hole."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((120, 120), bool)
    for _ in range(3):
        y, x = rng.integers(40, 70, 2)
        h, w = rng.integers(4, 34, 2)
        mask[y : y + h, x : x + w] = True
    hole = Hole(Box.bounding(mask), mask[Box.bounding(mask).slices], float(mask.mean()))
    least = least_face([hole])
    assert least >= (0.8 * mask.sum()) ** 0.5 / FACE_REGION - 1e-9
    taken = []
    for side in range(4, 80):
        reach = range(0, 121 - side, 2)
        faces = [Face(Box(x, y, side, side), 1.0) for x in reach for y in reach]
        if choose_route(hole, np.zeros_like(mask), faces).route is Route.FACE:
            taken.append(side)
    assert min(taken) >= least - 1


def test_a_tall_hole_needs_a_larger_face_than_a_square_one() -> None:
    _, (square,) = holes_of(Box(100, 50, 60, 60))
    _, (tall,) = holes_of(Box(100, 50, 20, 180))
    assert least_face([tall]) == 0.8 * 180 / FACE_REGION
    assert least_face([tall]) > 2 * least_face([square])


#: A portrait at the left border: its face's box, and holes at that border.
PORTRAIT = Face(Box(0, 80, 100, 120), 0.9)


def test_a_strip_at_the_border_over_a_face_that_stays_goes_to_the_face_network() -> None:
    mask, (hole,) = holes_of(Box(0, 90, 40, 100))
    routing = choose_route(hole, mask, [PORTRAIT])
    assert routing.route is Route.FACE
    assert "stays" in routing.why


def test_a_strip_at_the_border_beside_a_face_is_an_edge_hole() -> None:
    beside = Face(Box(60, 80, 100, 120), 0.9)
    mask, (hole,) = holes_of(Box(14, 0, 100, 79))  # hair: within the face's region, not on its box
    assert choose_route(hole, mask, [beside]).route is Route.EDGE
    mask, (hole,) = holes_of(Box(0, 90, 40, 100))  # ends before the box
    assert choose_route(hole, mask, [beside]).route is Route.EDGE
    mask, (hole,) = holes_of(Box(0, 90, 70, 100))  # reaches into it
    assert choose_route(hole, mask, [beside]).route is Route.FACE


def test_a_strip_at_the_border_that_reaches_far_beyond_a_face_is_an_edge_hole() -> None:
    mask, (hole,) = holes_of(Box(0, 0, 40, 300))
    assert choose_route(hole, mask, [PORTRAIT]).route is Route.EDGE


def test_a_hole_at_the_border_over_most_of_a_face_never_goes_to_the_face_network() -> None:
    """Otherwise the face of somebody at the border who is removed would be painted back."""
    mask, (hole,) = holes_of(Box(0, 80, 60, 120))
    assert choose_route(hole, mask, [PORTRAIT]).route is Route.EDGE
