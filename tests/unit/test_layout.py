"""Where objects lie, and the control block both sides share."""

from __future__ import annotations

import itertools
import re

import pytest

from pytest_neucomback import layout
from pytest_neucomback.toolchain import DRIVER

OBJECTS = [("a", 256, 16), ("one", 1, 1), ("page", 4096, 4), ("odd", 4097, 1), ("wide", 100, 64), ("big", 128_000, 4)]


def test_objects_end_where_their_page_ends() -> None:
    """Every object ends at the end of its last page, up to its alignment, so that one element too far faults."""
    placed, _ = layout.place(OBJECTS, base=layout.GLOBALS_ADDR, offset=0)
    for (name, size, align), object_ in zip(OBJECTS, placed, strict=True):
        assert (object_.name, object_.size) == (name, size)
        assert object_.addr % align == 0
        gap = object_.map_addr + object_.map_size - (object_.addr + size)
        assert 0 <= gap < align
        assert object_.lead == object_.addr - object_.map_addr >= 0


def test_guard_pages_lie_between_objects() -> None:
    """At least one page that is never mapped lies between any two objects."""
    placed, _ = layout.place(OBJECTS, base=layout.GLOBALS_ADDR, offset=0)
    for before, after in itertools.pairwise(placed):
        assert after.map_addr - (before.map_addr + before.map_size) >= layout.PAGE


def test_file_has_room_for_two_images_each() -> None:
    """In the file of objects every mapping is followed by an image of itself, without overlaps."""
    placed, end = layout.place(OBJECTS, base=layout.GLOBALS_ADDR, offset=layout.PAGE)
    at = layout.PAGE
    for object_ in placed:
        assert object_.offset == at
        assert object_.map_size % layout.PAGE == 0
        at += 2 * object_.map_size
    assert end == at


def test_empty_object_has_a_page() -> None:
    """An object of no bytes still has an address."""
    (only,), _ = layout.place([("none", 0, 1)], base=layout.OBJECTS_ADDR, offset=0)
    assert only.map_size == layout.PAGE


def test_addresses_show_truncation() -> None:
    """Globals are reachable by signed 32-bit addresses, objects behind pointers are not."""
    assert layout.GLOBALS_ADDR + (512 << 20) < 1 << 31
    assert layout.OBJECTS_ADDR > 1 << 32
    assert layout.CONTROL_ADDR + layout.CONTROL_PAGES <= layout.GLOBALS_ADDR


def test_control_block_names_match_the_header() -> None:
    """The C struct has the same fields in the same order; the driver checks their sizes when it starts."""
    header = (DRIVER / "nc_driver.h").read_text()
    body = re.search(r"struct nc_control \{(.*?)\n\};", header, re.DOTALL)
    assert body
    declarators = re.split("[;,]", re.sub(r"/\*.*?\*/", "", body[1], flags=re.DOTALL))
    names = [words[-1] for d in declarators if (words := re.findall(r"\w+", d.partition("[")[0]))]
    assert names == [name for name, _ in layout.Control._fields_]


@pytest.mark.parametrize("name", ["CONTROL_ADDR", "MAX_REGIONS", "MAX_ARGS", "MAX_SAMPLES", "MOCK_RETURNS"])
def test_constants_match_the_header(name: str) -> None:
    """Python and C agree on the constants they both spell."""
    found = re.search(rf"#define NC_{name} (\w+?)(?:ul)?$", (DRIVER / "nc_driver.h").read_text(), re.MULTILINE)
    assert found
    assert int(found[1], 0) == getattr(layout, name)


def test_trampolines_get_their_offsets() -> None:
    """The build hands the trampolines each field's offset that they name."""
    defined = {d.partition("=")[0] for d in layout.offset_defines()}
    for source in DRIVER.glob("trampoline_*.S"):
        assert {f"-DNC_OFF_{n}" for n in re.findall(r"CTL\((\w+)\)", source.read_text()) if n != "field"} <= defined
