"""Patterns over api and operation ids."""

from __future__ import annotations

from toolway.apps.curate import Unmatched, select, unmatched

AVAILABLE = {
    "conference": ["getSpeaker", "deleteSpeaker", "getSessions"],
    "shop": ["placeOrder", "getOrder"],
}


def test_nothing_is_selected_by_default() -> None:
    assert select([], AVAILABLE) == []
    assert select(["!conference:delete*"], AVAILABLE) == []


def test_the_last_matching_pattern_decides_and_order_is_the_documents() -> None:
    patterns = ["shop:*", "conference:*", "!*:get*", "conference:getS*s"]
    assert select(patterns, AVAILABLE) == [
        ("conference", "deleteSpeaker"),
        ("conference", "getSessions"),
        ("shop", "placeOrder"),
    ]


def test_case_counts_and_a_pattern_without_an_api_selects_nothing() -> None:
    assert select(["conference:GET*", "getSpeaker", "*"], AVAILABLE) == []


def test_patterns_that_match_nothing_are_told_with_near_names() -> None:
    found = unmatched(
        ["conference:get*", "confrence:get*", "!shop:getOrders", "getSpeaker", "zebra"], AVAILABLE
    )
    assert [(entry.index, entry.pattern) for entry in found] == [
        (1, "confrence:get*"),
        (2, "!shop:getOrders"),
        (3, "getSpeaker"),
        (4, "zebra"),
    ]
    assert found[0].near[0] == "conference:get*"
    assert found[1].near[0] == "!shop:getOrder"
    assert found[2].near[0] == "conference:getSpeaker"
    assert found[3] == Unmatched(4, "zebra", ())


def test_an_api_that_is_named_alone_gets_its_whole_pattern_offered() -> None:
    assert unmatched(["shop"], AVAILABLE)[0].near[0] == "shop:*"


def test_a_wrong_letter_case_is_offered_right() -> None:
    assert unmatched(["Shop:PlaceOrder"], AVAILABLE)[0].near[0] == "shop:placeOrder"
