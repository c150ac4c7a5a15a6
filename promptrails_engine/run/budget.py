"""What one run may still spend: reserved before a call at its worst, settled after it at what it was.

Steps that run side by side share it: a call without a limit of its own gets an equal part of what is left, and one that
does not fit for now waits until another has settled.  The worst case of a prompt is one token per byte of UTF-8: no
byte-level tokenizer makes more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from promptrails_engine.definitions.settings import Limits
from promptrails_engine.errors import BudgetExceededError
from promptrails_engine.events import TokenUsage
from promptrails_engine.models.table import Price
from promptrails_engine.ports.provider import ModelRequest

_MESSAGE_OVERHEAD = 8
_MILLION = 1_000_000


@dataclass(slots=True)
class Reservation:
    """What was set aside for one call: tokens and USD."""

    tokens: int
    cost: float


class Budget:
    """Spent and reserved tokens and USD of one run; refuses a call whose worst case would pass a limit."""

    __slots__ = ("_max_cost", "_max_tokens", "_settled", "_under_way", "cost", "sharers", "tokens")

    def __init__(self, limits: Limits) -> None:
        self._max_cost = limits.max_cost
        self._max_tokens = limits.max_total_tokens
        self.cost = 0.0
        self.tokens = 0
        self.sharers = 1
        """How many steps run side by side."""
        self._under_way = 0
        self._settled: asyncio.Event | None = None

    @property
    def unlimited(self) -> bool:
        return self._max_cost is None and self._max_tokens is None

    async def reserve(self, request: ModelRequest, price: Price | None, max_output_tokens: int | None) -> Reservation:
        """Set aside the worst case of a call; where `request` names no max_tokens, it is given what is affordable.

        Raises:
            BudgetExceededError: the worst case would pass a limit, or the price is unknown under a limit in USD.
        """
        prompt = prompt_token_bound(request)
        while True:
            answer = self._affordable(prompt, price)
            wanted = request.max_tokens
            if wanted is None:
                wanted = answer // max(1, self.sharers - self._under_way)
                wanted = wanted if max_output_tokens is None else min(wanted, max_output_tokens)
            if 1 <= wanted <= answer:
                break
            if not self._under_way:
                raise BudgetExceededError(
                    f"the next model call could take up to {prompt} prompt and {max(wanted, 1)} answer tokens, "
                    f"which could pass {self._left()}; raise the limit, or shorten the prompt or its max_tokens"
                )
            self._settled = self._settled or asyncio.Event()
            await self._settled.wait()
        request.max_tokens = wanted
        cost = 0.0 if price is None else (prompt * price.input + wanted * price.output) / _MILLION
        reservation = Reservation(prompt + wanted, cost)
        self.tokens += reservation.tokens
        self.cost += reservation.cost
        self._under_way += 1
        return reservation

    def settle(self, reservation: Reservation, usage: TokenUsage | None, cost: float | None) -> None:
        """Replace what was reserved by what was used; where the provider did not say, the worst case stands."""
        self._ended()
        if usage is not None and usage.total_tokens is not None:
            self.tokens += usage.total_tokens - reservation.tokens
            if cost is not None:
                self.cost += cost - reservation.cost

    def release(self, reservation: Reservation) -> None:
        """Give back what was reserved for a call that the provider refused."""
        self._ended()
        self.tokens -= reservation.tokens
        self.cost -= reservation.cost

    def _ended(self) -> None:
        self._under_way -= 1
        if self._settled is not None:
            self._settled.set()
            self._settled = None

    def _affordable(self, prompt: int, price: Price | None) -> int:
        """Answer tokens that fit under both limits after this prompt."""
        fits: list[int] = []
        if self._max_tokens is not None:
            fits.append(self._max_tokens - self.tokens - prompt)
        if self._max_cost is not None:
            if price is None:
                raise BudgetExceededError(
                    f"max_cost is {self._max_cost} USD, but the price of this model is unknown: "
                    "register the model with its prices, or drop max_cost"
                )
            left = (self._max_cost - self.cost) * _MILLION - prompt * price.input
            fits.append(_ANY if left >= 0 and price.output == 0 else int(left // max(price.output, 1e-9)))
        return min(fits)

    def _left(self) -> str:
        parts: list[str] = []
        if self._max_tokens is not None:
            parts.append(f"the limit of {self._max_tokens} tokens ({max(self._max_tokens - self.tokens, 0)} left)")
        if self._max_cost is not None:
            parts.append(f"the limit of {self._max_cost} USD ({max(self._max_cost - self.cost, 0.0):.6f} left)")
        return " or ".join(parts)


_ANY = 1 << 40


def prompt_token_bound(request: ModelRequest) -> int:
    """More tokens than the prompt of this request can have."""
    total = 0
    for message in request.messages:
        total += _MESSAGE_OVERHEAD + _bytes(message.content)
        for call in message.tool_calls:
            total += _MESSAGE_OVERHEAD + _bytes(call.name) + _bytes(call.arguments)
    return total + _spec_bytes(request)


def _spec_bytes(request: ModelRequest) -> int:
    specs: Sequence[object] = request.tools
    extra = sum(_MESSAGE_OVERHEAD + _bytes(repr(spec)) for spec in specs)
    return extra + (_bytes(repr(request.output_schema)) if request.output_schema else 0)


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
