"""The generated logo."""

from __future__ import annotations

import io

from PIL import Image

from toolway.apps.logo import initials, logo


def test_it_is_a_png_of_512_pixels_and_the_same_each_time() -> None:
    picture = logo("Conference Plugin")
    with Image.open(io.BytesIO(picture)) as image:
        assert (image.format, image.size) == ("PNG", (512, 512))
        assert len(image.getcolors(maxcolors=512 * 512) or []) > 1
    assert picture == logo("Conference Plugin")
    assert picture != logo("Shop")


def test_initials_are_of_the_first_two_words() -> None:
    assert [initials(name) for name in ("Conference API v2", "shop", "myShop", "东京", "")] == [
        "CA",
        "S",
        "MS",
        "?",
        "?",
    ]
