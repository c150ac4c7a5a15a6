"""What one run may still spend: reserved before a call at its worst, settled after it at what it was.

Steps that run side by side share it: a call without a limit of its own gets an equal part of what is left, and one that
does not fit for now waits until another has settled.  The runs of a tree share the budget of their root; a child may
have limits of its own within that.  The worst case of a prompt is one token per byte of UTF-8: no byte-level tokenizer
makes more.
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

    __slots__ = ("_levels", "_max_cost", "_max_tokens", "_settled", "_under_way", "cost", "sharers", "tokens")

    def __init__(self, limits: Limits, within: Budget | None = None) -> None:
        self._max_cost = limits.max_cost
        self._max_tokens = limits.max_total_tokens
        self._levels: tuple[Budget, ...] = (self, *(() if within is None else within._levels))
        """This one and those that it is within, the root's last."""
        self.cost = 0.0
        self.tokens = 0
        self.sharers = 1
        """How many steps run side by side."""
        self._under_way = 0
        self._settled: asyncio.Event | None = None

    def share(self, more: int) -> None:
        """So many more steps run side by side now; fewer, where it is negative."""
        for level in self._levels:
            level.sharers += more

    async def reserve(self, request: ModelRequest, price: Price | None, max_output_tokens: int | None) -> Reservation:
        """Set aside the worst case of a call; where `request` names no max_tokens, it is given what is affordable.

        Raises:
            BudgetExceededError: the worst case would pass a limit, or the price is unknown under a limit in USD.
        """
        prompt = prompt_token_bound(request)
        while True:
            room = {level: level._affordable(prompt, price) for level in self._levels}
            wanted = request.max_tokens
            if wanted is None:
                room = {level: answer // max(1, level.sharers - level._under_way) for level, answer in room.items()}
                wanted = min(*room.values(), max_output_tokens or _ANY)
            needed = max(wanted, 1)
            tight = [level for level, answer in room.items() if answer < needed]
            if not tight:
                break
            await self._turn(tight, prompt, needed)
        request.max_tokens = wanted
        cost = 0.0 if price is None else (prompt * price.input + wanted * price.output) / _MILLION
        reservation = Reservation(prompt + wanted, cost)
        self._add(reservation.tokens, reservation.cost, calls=1)
        return reservation

    async def reserve_cost(self, cost: float | None, what: str) -> Reservation:
        """Set aside the most that a call without tokens can cost, in USD; None where that is unknown.

        Raises:
            BudgetExceededError: it would pass a limit, or is unknown under a limit in USD.
        """
        levels = [level for level in self._levels if level._max_cost is not None]
        if levels and cost is None:
            raise BudgetExceededError(
                f"max_cost is {levels[0]._max_cost} USD, but the price of '{what}' is unknown: drop max_cost, or use a "
                "provider that knows its prices"
            )
        most = cost or 0.0
        while tight := [level for level in levels if level.cost + most > (level._max_cost or 0.0)]:
            if not all(level._under_way for level in tight):
                raise BudgetExceededError(
                    f"'{what}' could cost {most:g} USD, which could pass {self._left()}; "
                    "raise the limit, or ask for less"
                )
            await tight[0]._next_settled()
        self._add(0, most, calls=1)
        return Reservation(0, most)

    def settle(self, reservation: Reservation, usage: TokenUsage | None, cost: float | None) -> None:
        """Replace what was reserved by what was used; where the provider did not say, the worst case stands."""
        tokens, more = 0, 0.0
        if usage is not None and usage.total_tokens is not None:
            tokens = usage.total_tokens - reservation.tokens
            more = 0.0 if cost is None else cost - reservation.cost
        self._add(tokens, more, calls=-1)

    def charge(self, usage: TokenUsage | None, cost: float | None) -> None:
        """Count what was used before the run was interrupted."""
        self._add(0 if usage is None else usage.total_tokens or 0, cost or 0.0, calls=0)

    def release(self, reservation: Reservation) -> None:
        """Give back what was reserved for a call that the provider refused."""
        self._add(-reservation.tokens, -reservation.cost, calls=-1)

    def _add(self, tokens: int, cost: float, *, calls: int) -> None:
        """Here and above; where a call has ended, all who wait for one look again."""
        for level in self._levels:
            level.tokens += tokens
            level.cost += cost
            level._under_way += calls
            if calls < 0 and level._settled is not None:
                level._settled.set()
                level._settled = None

    async def _turn(self, tight: Sequence[Budget], prompt: int, needed: int) -> None:
        """Return when there may be more left in these budgets.

        Raises:
            BudgetExceededError: nothing is under way in one of them that could leave more.
        """
        if not all(level._under_way for level in tight):
            raise BudgetExceededError(
                f"the next model call could take up to {prompt} prompt and {needed} answer tokens, "
                f"which could pass {self._left()}; raise the limit, or shorten the prompt or its max_tokens"
            )
        await tight[0]._next_settled()

    async def _next_settled(self) -> None:
        """Return when a call that is under way has ended."""
        self._settled = self._settled or asyncio.Event()
        await self._settled.wait()

    def _affordable(self, prompt: int, price: Price | None) -> int:
        """Answer tokens that fit under its own limits after this prompt."""
        fits = [_ANY]
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
        for level in self._levels:
            above = "" if level is self else " of a run above it"
            if level._max_tokens is not None:
                left = max(level._max_tokens - level.tokens, 0)
                parts.append(f"the limit of {level._max_tokens} tokens ({left} left){above}")
            if level._max_cost is not None:
                left_usd = max(level._max_cost - level.cost, 0.0)
                parts.append(f"the limit of {level._max_cost} USD ({left_usd:.6f} left){above}")
        return " or ".join(parts)


def budget_of(limits: Limits, within: Budget | None) -> Budget | None:
    """The budget of a run with these limits, within that of the run above it; None where nothing is limited."""
    limited = limits.max_cost is not None or limits.max_total_tokens is not None
    return Budget(limits, within) if limited or within is not None else None


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
