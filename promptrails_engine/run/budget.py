"""What one run may still spend: reserved before a call at its worst, settled after it at what it was.

The runs of a tree share the budget of their root; a child with limits of its own has a budget within that.

The worst case of a prompt is one token per byte of UTF-8: no byte-level tokenizer makes more.
"""

from __future__ import annotations

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

    __slots__ = ("_max_cost", "_max_tokens", "_within", "cost", "tokens")

    def __init__(self, limits: Limits, within: Budget | None = None) -> None:
        self._max_cost = limits.max_cost
        self._max_tokens = limits.max_total_tokens
        self._within = within
        self.cost = 0.0
        self.tokens = 0

    def reserve(self, request: ModelRequest, price: Price | None, max_output_tokens: int | None) -> Reservation:
        """Set aside the worst case of a call; where `request` names no max_tokens, it is given what is affordable.

        Raises:
            BudgetExceededError: the worst case would pass a limit, or the price is unknown under a limit in USD.
        """
        prompt = prompt_token_bound(request)
        answer = self._affordable(prompt, price)
        wanted = request.max_tokens
        if wanted is None:
            wanted = answer if max_output_tokens is None else min(answer, max_output_tokens)
            request.max_tokens = wanted
        if wanted < 1 or wanted > answer:
            raise BudgetExceededError(
                f"the next model call could take up to {prompt} prompt and {max(wanted, 1)} answer tokens, "
                f"which could pass {self._left()}; raise the limit, or shorten the prompt or its max_tokens"
            )
        cost = 0.0 if price is None else (prompt * price.input + wanted * price.output) / _MILLION
        reservation = Reservation(prompt + wanted, cost)
        self._add(reservation.tokens, reservation.cost)
        return reservation

    def settle(self, reservation: Reservation, usage: TokenUsage | None, cost: float | None) -> None:
        """Replace what was reserved by what was used; where the provider did not say, the worst case stands."""
        if usage is not None and usage.total_tokens is not None:
            self._add(usage.total_tokens - reservation.tokens, 0.0 if cost is None else cost - reservation.cost)

    def release(self, reservation: Reservation) -> None:
        """Give back what was reserved for a call that the provider refused."""
        self._add(-reservation.tokens, -reservation.cost)

    def _add(self, tokens: int, cost: float) -> None:
        self.tokens += tokens
        self.cost += cost
        if self._within is not None:
            self._within._add(tokens, cost)

    def _affordable(self, prompt: int, price: Price | None) -> int:
        """Answer tokens that fit under all limits after this prompt."""
        fits = [] if self._within is None else [self._within._affordable(prompt, price)]
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
        if self._within is not None:
            parts.append(f"{self._within._left()} of the run that started it")
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
