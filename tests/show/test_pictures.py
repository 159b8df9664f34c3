"""Values as pixels: PNG, palettes, planes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from pictures import pixels

from caufc.show.colours import RISING, SIGNED, rising_png, scale_of, signed_png, spread_of
from caufc.show.planes import binned, on_plane, places
from caufc.show.png import data_uri, palette_png, rgb_png

RANDOM = np.random.default_rng(0)


def test_a_picture_is_what_was_drawn() -> None:
    drawn = RANDOM.integers(0, 256, (5, 7, 3), np.uint8)
    assert np.array_equal(pixels(rgb_png(drawn)), drawn)
    levels, palette = RANDOM.integers(0, 9, (4, 6), np.uint8), RANDOM.integers(0, 256, (9, 3), np.uint8)
    assert np.array_equal(pixels(palette_png(levels, palette)), palette[levels])
    assert data_uri(b"ab") == "data:image/png;base64,YWI="


def test_others_see_the_same() -> None:
    image = pytest.importorskip("PIL.Image")
    for png in (rgb_png(RANDOM.integers(0, 256, (5, 7, 3), np.uint8)), signed_png(RANDOM.normal(size=(3, 8)), 1.0)):
        assert np.array_equal(np.asarray(image.open(io.BytesIO(png)).convert("RGB")), pixels(png))


def test_signed_values_are_blue_white_and_red() -> None:
    drawn = pixels(signed_png(np.array([[-9.0, -1, -0.5, 0, 0.5, 1, np.nan]]), 1.0))[0].astype(int)
    below, lowest, blue, white, red, highest, unknown = drawn
    assert list(below) == list(lowest) == list(SIGNED[0]), "beyond the scale: its last colour"
    assert blue[2] > blue[0] and red[0] > red[2] and min(white) > 240
    assert list(highest) == list(SIGNED[-2]) and list(unknown) == [128, 128, 128]


def test_sizes_get_lighter() -> None:
    drawn = pixels(rising_png(np.linspace(0, 1, 20)[None], 0, 1))[0]
    light = drawn @ np.array([0.299, 0.587, 0.114])
    assert (np.diff(light) > 0).all(), "also in grey"
    assert list(drawn[0]) == list(RISING[0])


def test_scales_are_robust() -> None:
    values = np.concatenate([np.full(999, -2.0), [1e9], [np.nan, np.inf]])
    assert scale_of(values) == 2
    assert scale_of(np.zeros(3)) == scale_of(np.full(3, np.nan)) == 1
    assert scale_of(np.array([0.0] * 999 + [7])) == 7, "not 0, which nothing lies within"
    assert spread_of(np.array([3.0, 3])) == (3, 6) and spread_of(np.array([np.nan])) == (0, 1)


def test_no_outlier_disappears_from_a_small_plane() -> None:
    plane = RANDOM.normal(size=(3, 100))
    plane[1, 57], plane[2, 99] = -40, 50
    small, each = binned(plane, 30)
    assert each == 4 and small.shape == (3, 25)
    assert small[1, 57 // 4] == -40 and small[2, -1] == 50
    assert binned(plane, 100)[0] is plane
    kept = places(1000, 9)
    assert len(kept) == 9 and (kept[0], kept[-1]) == (0, 999) and list(places(3, 9)) == [0, 1, 2]


def test_planes_of_a_video_stand_beside_each_other() -> None:
    frames = np.arange(3 * 2 * 2, dtype=float)
    plane = on_plane(frames, (3, 2, 2), np.nan)
    assert plane.shape == (5, 5)
    assert plane[:2, :2].tolist() == [[0, 1], [2, 3]] and plane[:2, 3:].tolist() == [[4, 5], [6, 7]]
    assert plane[3:, :2].tolist() == [[8, 9], [10, 11]] and np.isnan(plane[3:, 3:]).all() and np.isnan(plane[2]).all()
    assert on_plane(frames, (4, 3), 0).shape == (4, 3) and on_plane(frames, (12,), 0).shape == (1, 12)
