"""The Shop API answers as its document says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml
from demo_conformance import Contract
from openapi_spec_validator import validate

from toolway.demo import shop
from toolway.demo.serving import served

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTRACT = Contract("shop.yaml")
ORDER: dict[str, Any] = {"items": [{"product_id": "conference-mug", "quantity": 2}], "name": "Ada"}


@pytest.fixture
def shop_client() -> Iterator[httpx.Client]:
    with (
        served(shop.application(), "shop") as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        yield client


def test_the_document_is_valid_openapi() -> None:
    validate(CONTRACT.document)


@pytest.mark.parametrize(
    "target",
    [
        "/products",
        "/products?category=desk",
        "/products?category=cars",
        "/products/rubber-duck",
        "/products/swan",
        "/orders/none",
    ],
)
def test_every_answer_keeps_to_the_document(shop_client: httpx.Client, target: str) -> None:
    CONTRACT.check(shop_client.get(target))


def test_an_order_is_placed_without_any_credential_and_can_be_read(shop_client: httpx.Client) -> None:
    placed = shop_client.post("/orders", json=ORDER)
    CONTRACT.check(placed)
    assert placed.status_code == 201
    assert placed.json()["total_cents"] == 2400
    read = shop_client.get(placed.headers["location"])
    CONTRACT.check(read)
    assert read.json() == placed.json()


@pytest.mark.parametrize(
    ("order", "at"),
    [
        ({"items": [], "name": "Ada"}, "/items"),
        ({"items": [{"product_id": "rubber-duck", "quantity": 0}], "name": "Ada"}, "/items/0/quantity"),
        ({"items": [{"product_id": "rubber-duck", "quantity": "2"}], "name": "Ada"}, "/items/0/quantity"),
        ({"items": [{"product_id": "swan"}], "name": "Ada"}, "/items/0/product_id"),
        ({"items": [{"product_id": "rubber-duck"}]}, "/name"),
        ({"items": [{"product_id": "rubber-duck"}], "name": " "}, "/name"),
        ({"items": [{"product_id": "rubber-duck"}], "name": "Ada", "gift": True}, "/gift"),
    ],
)
def test_an_order_that_cannot_be_taken_is_told_with_its_place(
    shop_client: httpx.Client, order: dict[str, Any], at: str
) -> None:
    response = shop_client.post("/orders", json=order)
    CONTRACT.check(response)
    assert response.status_code == 422
    assert [detail["at"] for detail in response.json()["error"]["details"]] == [at]


def test_a_body_that_is_not_json_is_refused(shop_client: httpx.Client) -> None:
    response = shop_client.post("/orders", content=b"{", headers={"content-type": "application/json"})
    CONTRACT.check(response)
    assert response.status_code == 422
    form = shop_client.post("/orders", data={"name": "Ada"})
    CONTRACT.check(form)
    assert form.status_code == 415


def test_a_body_that_is_too_large_is_refused(shop_client: httpx.Client) -> None:
    response = shop_client.post("/orders", json=ORDER | {"note": "x" * 70_000})
    CONTRACT.check(response)
    assert response.status_code == 413


def test_the_document_is_served_by_the_api(shop_client: httpx.Client) -> None:
    assert yaml.safe_load(shop_client.get("/openapi.yaml").text) == CONTRACT.document
