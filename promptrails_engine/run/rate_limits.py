"""The gates of one engine, one for each model and credential that has limits, given or learned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from promptrails_engine.definitions.settings import RateLimit
from promptrails_engine.errors import RateLimitError
from promptrails_engine.events import TokenUsage
from promptrails_engine.models.registry import ModelRegistry
from promptrails_engine.ports.provider import Account, AccountProvider
from promptrails_engine.run.binding import ModelBinding
from promptrails_engine.run.rate_gate import Gate, Ticket

_GATES = 512
"""Kept at least; beyond that, those at which nothing happens make room, as where credentials change by the hour."""
_NOBODY = Account("")


@dataclass(slots=True)
class _Route:
    """What is known of one model name."""

    limit: RateLimit | None
    account: Callable[[str], Account] | None
    free: bool
    """Nothing is given, and nothing learned: calls need no gate."""


class RateLimits:
    """Finds the gate of a call."""

    __slots__ = ("_gates", "_limits", "_models", "_random", "_routes")

    def __init__(self, limits: Mapping[str, RateLimit], models: ModelRegistry, random: Callable[[], float]) -> None:
        """`limits`: by model name, or by the beginning of one and `*`."""
        self._limits = limits
        self._models = models
        self._random = random
        self._routes: dict[str, _Route] = {}
        self._gates: dict[tuple[str, str, str], Gate] = {}

    def gate(self, binding: ModelBinding) -> Gate | None:
        """The gate that calls of this model pass, with the credential that its provider uses now; None for no gate."""
        route = self._routes.get(binding.name)
        if route is None:
            route = self._routes[binding.name] = self._find(binding)
        return None if route.free else self._gate(binding, route)

    def failed(
        self, binding: ModelBinding, ticket: Ticket | None, usage: TokenUsage | None, error: BaseException
    ) -> None:
        """Learn from a call that failed; the first refusal makes a gate where there was none."""
        if ticket is not None:
            ticket.settle(usage, error)
        elif isinstance(error, RateLimitError):
            route = self._routes[binding.name]
            route.free = False
            self._gate(binding, route).refused(error.retry_after_s)

    def excuse(self, binding: ModelBinding) -> Callable[[BaseException], bool]:
        """Whether a failure is none of the call's own: a refusal while others were served since the last failure."""
        gate = self.gate(binding)
        served = 0 if gate is None else gate.served

        def excused(error: BaseException) -> bool:
            nonlocal served
            before, served = served, 0 if gate is None else gate.served
            return isinstance(error, RateLimitError) and served > before

        return excused

    def _find(self, binding: ModelBinding) -> _Route:
        limit = self._limit(binding.name, self._models.name_of(binding.name)) if self._limits else None
        provider: object = binding.provider
        account = provider.account if isinstance(provider, AccountProvider) else None
        return _Route(limit, account, free=limit is None and account is None)

    def _limit(self, *names: str) -> RateLimit | None:
        """The limit with the longest name that fits; one without `*` is longer than any with it."""
        for name in names:
            if name in self._limits:
                return self._limits[name]
        fitting = [key for key in self._limits if key[-1] == "*" and any(n.startswith(key[:-1]) for n in names)]
        return self._limits[max(fitting, key=len)] if fitting else None

    def _gate(self, binding: ModelBinding, route: _Route) -> Gate:
        account = _NOBODY if route.account is None else route.account(binding.model)
        key = (binding.provider.name, account.credential, binding.model)
        gate = self._gates.get(key)
        if gate is None:
            if len(self._gates) >= _GATES:
                for old in [old for old, kept in self._gates.items() if kept.idle]:
                    del self._gates[old]
            gate = self._gates[key] = Gate(binding.name, route.limit, account.connections, self._random)
        return gate
