"""The Shop API of the demo: merchandise of the conference, and orders for it, in memory.

It has no authentication at all and takes an order from anyone who reaches it: guarding it is the gateway's
work. It serves what `shop.yaml` describes, and that document itself at `/openapi.yaml`.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from toolway.demo.errors import EXCEPTION_HOOKS, ApiError

if TYPE_CHECKING:
    from starlette.requests import Request

CURRENCY = "EUR"
LARGEST_BODY = 64 * 1024
MOST_ORDERS = 10_000

PRODUCTS = (
    ("conference-mug", "Conference mug", "kitchen", 1200),
    ("enamel-cup", "Enamel cup, chipped with care", "kitchen", 1500),
    ("speaker-hoodie", "Speaker hoodie", "clothing", 4900),
    ("t-shirt-gateway", "T-shirt: 'I was routed here'", "clothing", 2400),
    ("wool-socks", "Wool socks, two different ones", "clothing", 1300),
    ("sticker-sheet", "Sheet of twelve stickers", "paper", 400),
    ("field-notebook", "Field notebook, dotted", "paper", 900),
    ("programme-poster", "The programme as a poster", "paper", 1800),
    ("workshop-ticket", "Ticket for a workshop day", "tickets", 24900),
    ("dinner-ticket", "Ticket for the speakers' dinner", "tickets", 6500),
    ("rubber-duck", "Rubber duck for debugging", "desk", 700),
    ("status-lamp", "Lamp that shows your build", "desk", 5900),
)

_NoExtra = ConfigDict(extra="forbid", str_strip_whitespace=True)


class OrderItem(BaseModel):
    """One line of a NewOrder."""

    model_config = _NoExtra
    product_id: str
    quantity: Annotated[int, Field(strict=True, ge=1, le=20)] = 1


class NewOrder(BaseModel):
    """The body of PlaceOrder."""

    model_config = _NoExtra
    items: Annotated[list[OrderItem], Field(min_length=1, max_length=20)]
    name: Annotated[str, Field(min_length=1, max_length=100)]
    note: Annotated[str, Field(max_length=500)] = ""


class ShopApi:
    """The operations of the document, one method each, over fixed products and a growing table of orders."""

    def __init__(self) -> None:
        names = ("id", "title", "category", "price_cents")
        self._products: dict[str, dict[str, Any]] = {
            row[0]: dict(zip(names, row, strict=True)) | {"currency": CURRENCY} for row in PRODUCTS
        }
        self._orders: dict[str, dict[str, Any]] = {}

    async def list_products(self, request: Request) -> Response:
        """ListProducts."""
        category = request.query_params.get("category")
        categories = sorted({str(product["category"]) for product in self._products.values()})
        if category is not None and category not in categories:
            message = f"There is no category {category!r}; there are {', '.join(categories)}."
            raise ApiError(400, "unknown_category", message)
        found = [product for product in self._products.values() if category in (None, product["category"])]
        return JSONResponse({"products": found})

    async def get_product(self, request: Request) -> Response:
        """GetProduct."""
        product = self._products.get(request.path_params["id"])
        if product is None:
            message = f"There is no product {request.path_params['id']!r}. GET /products lists the ids."
            raise ApiError(404, "not_found", message)
        return JSONResponse(product)

    async def place_order(self, request: Request) -> Response:
        """PlaceOrder: 201 with the order and its Location."""
        order = await _new_order(request)
        unknown = [
            {"at": f"/items/{index}/product_id", "message": f"There is no product {item.product_id!r}."}
            for index, item in enumerate(order.items)
            if item.product_id not in self._products
        ]
        if unknown:
            raise ApiError(422, "invalid_order", "GET /products lists the ids that can be ordered.", unknown)
        if len(self._orders) >= MOST_ORDERS:
            raise ApiError(503, "shop_full", f"This shop keeps {MOST_ORDERS} orders and has them.")
        placed = self._placed(order)
        self._orders[placed["id"]] = placed
        return JSONResponse(placed, 201, headers={"location": f"/orders/{placed['id']}"})

    async def get_order(self, request: Request) -> Response:
        """GetOrder."""
        order = self._orders.get(request.path_params["id"])
        if order is None:
            raise ApiError(
                404, "not_found", "There is no such order; its id came with the answer that placed it."
            )
        return JSONResponse(order)

    def _placed(self, order: NewOrder) -> dict[str, Any]:
        lines = [
            {
                "product_id": item.product_id,
                "title": self._products[item.product_id]["title"],
                "quantity": item.quantity,
                "price_cents": self._products[item.product_id]["price_cents"],
            }
            for item in order.items
        ]
        return {
            # The id is all that it takes to read an order, so it must not be guessable.
            "id": f"order-{secrets.token_hex(8)}",
            "status": "placed",
            "name": order.name,
            "note": order.note,
            "items": lines,
            "total_cents": sum(line["price_cents"] * line["quantity"] for line in lines),
            "currency": CURRENCY,
            "placed_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }


async def _new_order(request: Request) -> NewOrder:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise ApiError(415, "unsupported_media_type", "An order is sent as application/json.")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BODY:
            raise ApiError(413, "too_large", f"An order has at most {LARGEST_BODY} bytes.")
    try:
        return NewOrder.model_validate_json(body)
    except ValidationError as error:
        details = [
            {"at": "".join(f"/{part}" for part in problem["loc"]), "message": problem["msg"]}
            for problem in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        message = "The order cannot be taken; the details say what to change."
        raise ApiError(422, "invalid_order", message, details) from error


async def _document(_request: Request) -> Response:
    text = files("toolway.demo").joinpath("shop.yaml").read_text(encoding="utf-8")
    return Response(text, media_type="application/yaml")


def application() -> Starlette:
    """The API as an ASGI application without orders."""
    api = ShopApi()
    return Starlette(
        routes=[
            Route("/products", api.list_products),
            Route("/products/{id}", api.get_product),
            Route("/orders", api.place_order, methods=["POST"]),
            Route("/orders/{id}", api.get_order),
            Route("/openapi.yaml", _document),
        ],
        exception_handlers=EXCEPTION_HOOKS,
    )
