"""Which selections of an app's tools callers can be shown, by the roles that they have."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from toolway.apps.actions import actions_document
from toolway.apps.formats import exported
from toolway.apps.variants import MOST, shown_to, variant_problems, variants
from toolway.openapi.model import Operation, Response

from .views import document, select, view

if TYPE_CHECKING:
    from toolway.apps.model import AppView

Rules = tuple[tuple[str, ...], ...]


def shop(**rules: Rules) -> AppView:
    """An app of the operations that are named, each with its rules."""
    done = (Response("200", "Done."),)
    operations = [Operation(name, "GET", f"/{name}", responses=done) for name in rules]
    selected = select("shop", document(*operations))
    return view(*(replace(each, roles=rules[each.operation.id]) for each in selected))


def shown(made: AppView) -> list[str]:
    return [" ".join(sorted(names)) for names in variants(made)]


def test_roles_that_include_each_other_make_a_variant_each() -> None:
    made = shop(
        look=(), read=(("reader", "clerk", "admin"),), sell=(("clerk", "admin"),), close=(("admin",),)
    )
    assert shown(made) == ["close look read sell", "look read sell", "look read", "look"]


def test_a_caller_may_have_several_roles() -> None:
    made = shop(look=(), one=(("a",),), two=(("b",),))
    assert shown(made) == ["look one two", "look one", "look two", "look"]


def test_each_rule_of_a_tool_has_to_be_satisfied_maybe_by_different_roles() -> None:
    made = shop(look=(), both=(("a",), ("b",)))
    assert shown(made) == ["both look", "look"]
    assert shown_to(made, ["a"]) == {"look"}
    assert shown_to(made, ["a", "b"]) == {"look", "both"}


def test_what_nobody_may_call_is_in_no_variant() -> None:
    made = shop(look=(), never=((),), odd=((), ("a",)))
    assert shown(made) == ["look"]
    assert shown_to(made, ["a"]) == {"look"}
    assert shown_to(made, None) == {"look", "never", "odd"}


@pytest.mark.parametrize("count", [4, 5, 12])
def test_variants_are_bounded_and_too_many_are_told(count: int) -> None:
    made = shop(look=(), **{f"tool{nth}": ((f"role{nth}",),) for nth in range(count)})
    found = variants(made)
    assert len(found) == MOST == 16
    assert len(found[0]) == count + 1
    assert found[-1] == {"look"}
    assert {frozenset({"look", f"tool{nth}"}) for nth in range(count)} <= set(found)
    codes = [problem.code for problem in variant_problems(made)]
    assert codes == ([] if count == 4 else ["actions-many-variants"])


def test_many_roles_that_open_the_same_are_no_problem() -> None:
    roles = tuple(f"role{nth}" for nth in range(40))
    made = shop(look=(), order=(roles,), close=(roles, ("clerk",)))
    assert shown(made) == ["close look order", "look order", "look"]
    assert variant_problems(made) == []


def test_a_document_of_open_operations_alone_asks_for_no_credential() -> None:
    made = shop(look=(), order=(("buyer",),))
    guarded = replace(
        made,
        operations=tuple(
            replace(each, credential_headers=("apikey",)) if each.roles else each for each in made.operations
        ),
    )
    whole, public = actions_document(guarded), actions_document(guarded, frozenset({"look"}))
    assert set(whole["paths"]) == {"/look", "/order"}
    assert "securitySchemes" in whole["components"]
    assert set(public["paths"]) == {"/look"}
    assert "security" not in public
    assert "securitySchemes" not in public["components"]


def test_exports_show_a_role_what_it_may_call() -> None:
    made = shop(look=(), order=(("buyer",),))
    for wanted in ("mcp-tools", "openai-tools"):
        assert [tool["name"] for tool in exported(made, wanted)] == ["look", "order"]
        assert [tool["name"] for tool in exported(made, wanted, ["buyer"])] == ["look", "order"]
        assert [tool["name"] for tool in exported(made, wanted, [])] == ["look"]
    assert set(exported(made, "openapi", ["buyer"])["paths"]) == {"/look", "/order"}
    assert set(exported(made, "openapi", [])["paths"]) == {"/look"}
    assert exported(made, "manifest", []) == exported(made, "manifest")
