"""A logo for an app that gives none: its initials on a colour of its own.

The same name has the same logo on every machine, so that published files do not change by themselves.
"""

from __future__ import annotations

import colorsys
import hashlib
import io
import re

from toolway.apps.text import phrase

SIZE = 512
"""Pixels of each side; what the manifest's logo_url should point at."""


def logo(name: str) -> bytes:
    """A PNG of 512 by 512 pixels with the initials of `name`."""
    # Only here, since an app with a logo of its own has no use for 6 MB of libraries.
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("RGB", (SIZE, SIZE), _colour(name))
    text = initials(name)
    font = ImageFont.load_default(size=260 if len(text) == 1 else 210)
    ImageDraw.Draw(image).text((SIZE / 2, SIZE / 2), text, fill="white", font=font, anchor="mm")
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def initials(name: str) -> str:
    """The first letters of the first two words of `name`; `?` where there is no letter or digit.

    Letters that the built-in font lacks are left out.
    """
    words = re.findall(r"[A-Za-z0-9]+", phrase(name))
    return "".join(word[0] for word in words[:2]).upper() or "?"


def _colour(name: str) -> tuple[int, int, int]:
    """A hue from the name; dark enough for white letters on any hue."""
    hue = hashlib.sha256(name.encode()).digest()[0] / 256
    red, green, blue = colorsys.hls_to_rgb(hue, 0.36, 0.55)
    return round(red * 255), round(green * 255), round(blue * 255)
