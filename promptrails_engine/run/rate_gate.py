"""The gate before one model and credential: what may be sent now, and who waits for it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from promptrails_engine.definitions.settings import RateLimit
from promptrails_engine.errors import PromptRailsError, ProviderTimeoutError, RateLimitError, ServerError
from promptrails_engine.events import TokenUsage
from promptrails_engine.ports.provider import ModelRequest, RateLimitDelta
from promptrails_engine.run.failures import RETRY_AFTER_CAP_S
from promptrails_engine.run.rate_flow import Flow
from promptrails_engine.run.rate_line import Line, Waiter
from promptrails_engine.run.rate_window import WINDOW_S, Allowance, Sent, Window

_CHARS_A_TOKEN = 4


class Ticket:
    """One call that was let through; `settle` ends it."""

    __slots__ = ("_accepted", "_gate", "sent", "serial", "tokens_before")

    def __init__(self, gate: Gate, serial: int, tokens_before: int, sent: Sent | None) -> None:
        self._gate = gate
        self.serial = serial
        """Its number at this gate, counted from 1."""
        self.tokens_before = tokens_before
        """Tokens that the gate had let through up to this call, with its own."""
        self.sent = sent
        self._accepted = False

    def accepted(self) -> None:
        """The provider has begun to answer."""
        if not self._accepted:
            self._accepted = True
            self._gate.accepted(self)

    def heard(self, said: RateLimitDelta) -> None:
        """The provider has said what is left."""
        self._gate.heard(self, said)

    def settle(self, usage: TokenUsage | None, error: BaseException | None = None) -> None:
        """The call has ended: count the tokens that it really took, and learn from its failure."""
        if error is None:
            self.accepted()
        self._gate.settle(self, _tokens_used(usage, error, accepted=self._accepted), error)


class Gate:
    """Lets calls through within the limits given and learned, and keeps the others in a fair line.

    It belongs to the loop that calls it; in another one (the engine's next, or a forked child's) nobody waits.
    """

    __slots__ = (
        "_counts_tokens",
        "_flow",
        "_last_sent",
        "_line",
        "_loop",
        "_name",
        "_requests_left",
        "_serial",
        "_timer",
        "_tokens_left",
        "_tokens_sent",
        "_under_way",
        "_window",
    )

    def __init__(
        self, name: str, limit: RateLimit | None, connections: int | None, random: Callable[[], float]
    ) -> None:
        """`connections`: calls that the provider can send at once, None where it does not say."""
        requests = tokens = at_once = None
        if limit is not None:
            requests, tokens, at_once = limit.requests_per_minute, limit.tokens_per_minute, limit.concurrency
        self._name = name
        self._flow = Flow(min(at_once or math.inf, connections or math.inf), random)
        self._window = None if requests is None and tokens is None else Window(requests, tokens)
        self._counts_tokens = tokens is not None
        self._requests_left = Allowance()
        self._tokens_left = Allowance()
        self._serial = 0
        self._tokens_sent = 0
        self._last_sent = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._line: Line[Ticket] = Line()
        self._under_way: set[Ticket] = set()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Whether it may be forgotten: nobody waits, nothing is under way, and nothing of the last minute counts."""
        if self._line or self._under_way or self._loop is None:
            return False
        return max(self._flow.opens, self._last_sent + WINDOW_S) <= self._loop.time()

    @property
    def served(self) -> int:
        """Calls that the provider has begun to answer so far."""
        return self._flow.served

    async def enter(self, agent: str, request: ModelRequest) -> Ticket:
        """A ticket for this call, once it is its turn.

        Raises:
            RateLimitError: the provider has asked for a longer wait than a call is kept for.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._belong_to(loop)
        now = loop.time()
        if self._flow.opens - now > RETRY_AFTER_CAP_S:
            raise self._too_long(now)
        tokens = _estimate(request) if self._counts_tokens else 0
        if not self._line and self._opens(now, tokens) <= now:
            return self._admit(now, tokens)
        turn: asyncio.Future[Ticket] = loop.create_future()
        waiter = Waiter(agent, tokens, turn)
        first = not self._line
        self._line.join(waiter)
        if first:
            self._serve(loop)
        try:
            return await waiter.turn
        except asyncio.CancelledError:
            self._forsake(waiter, loop)
            raise

    # -------------------------------------------------------------- what tickets report

    def accepted(self, ticket: Ticket) -> None:
        self._flow.accepted(ticket.serial)
        self._serve(asyncio.get_running_loop())

    def heard(self, ticket: Ticket, said: RateLimitDelta) -> None:
        """Note what is left, less what was sent since that call: the provider may not have counted it yet."""
        loop = asyncio.get_running_loop()
        now, serial = loop.time(), ticket.serial
        left, reset = said.remaining_requests, said.requests_reset_s
        if left is not None and reset is not None and reset <= RETRY_AFTER_CAP_S:
            self._requests_left.hear(serial, left - (self._serial - serial), now + reset, now)
        left, reset = said.remaining_tokens, said.tokens_reset_s
        if left is not None and reset is not None and reset <= RETRY_AFTER_CAP_S:
            self._counts_tokens = True
            later = self._tokens_sent - ticket.tokens_before
            self._tokens_left.hear(serial, left - later, now + reset, now)
        self._serve(loop)

    def settle(self, ticket: Ticket, tokens: int | None, error: BaseException | None) -> None:
        """End a call; `tokens` None leaves its estimate standing."""
        loop = asyncio.get_running_loop()
        if isinstance(error, RateLimitError):
            self.refused(error.retry_after_s, ticket)
        elif isinstance(error, ServerError) and (wait := error.details.get("retry_after_s")) is not None:
            now = loop.time()
            self._flow.hold(now, wait)
            self._turn_away(now)
        if ticket.sent is not None and self._window is not None and tokens is not None:
            self._window.correct(ticket.sent, 1, tokens)
        self._under_way.discard(ticket)
        self._serve(loop)

    def refused(self, retry_after_s: float | None, ticket: Ticket | None = None) -> None:
        """A call got a 429; one without a ticket was sent before this gate was there."""
        loop = asyncio.get_running_loop()
        serial = 0 if ticket is None else ticket.serial
        now = loop.time()
        self._flow.refused(serial, self._serial, len(self._under_way), now, retry_after_s)
        self._turn_away(now)

    # -------------------------------------------------------------- the line

    def _opens(self, now: float, tokens: int) -> float:
        """When a call may go: not after `now` if it may now, infinity if it waits for another one to end."""
        if len(self._under_way) + 1 > self._flow.limit:
            return math.inf
        opens = max(self._flow.opens, self._requests_left.opens(now, 1), self._tokens_left.opens(now, tokens))
        return opens if self._window is None else max(opens, self._window.opens(now, tokens))

    def _admit(self, now: float, tokens: int) -> Ticket:
        self._serial += 1
        self._tokens_sent += tokens
        self._requests_left.take(1)
        self._tokens_left.take(tokens)
        sent = None if self._window is None else self._window.add(now, tokens)
        ticket = Ticket(self, self._serial, self._tokens_sent, sent)
        self._under_way.add(ticket)
        self._last_sent = now
        return ticket

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let through whoever may go, and look again when the next one may."""
        opens = math.inf
        while (waiter := self._line.first()) is not None:
            now = loop.time()
            if waiter.turn.done():  # cancelled, and on its way out
                self._line.leave(waiter)
                continue
            opens = self._opens(now, waiter.tokens)
            if opens > now:
                break
            self._line.serve(waiter)
            waiter.turn.set_result(self._admit(now, waiter.tokens))
            opens = math.inf
        if self._timer is not None:
            if self._timer.when() == opens:
                return
            self._timer.cancel()
        self._timer = None if opens == math.inf else loop.call_at(opens, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        self._serve(loop)

    def _forsake(self, waiter: Waiter[Ticket], loop: asyncio.AbstractEventLoop) -> None:
        """A call will not be made: out of the line, or back with the ticket that it has just got."""
        self._line.leave(waiter)
        turn = waiter.turn
        if turn.done() and not turn.cancelled() and turn.exception() is None:
            ticket = turn.result()
            self._under_way.discard(ticket)
            self._requests_left.take(-1)
            self._tokens_left.take(-waiter.tokens)
            if ticket.sent is not None and self._window is not None:
                self._window.correct(ticket.sent, 0, 0)
        self._serve(loop)

    def _turn_away(self, now: float) -> None:
        """If nothing may be sent for longer than a call is kept for, tell everyone in the line."""
        if self._flow.opens - now > RETRY_AFTER_CAP_S:
            for waiter in self._line.clear():
                if not waiter.turn.done():
                    waiter.turn.set_exception(self._too_long(now))

    def _too_long(self, now: float) -> RateLimitError:
        wait = self._flow.opens - now
        return RateLimitError(
            f"the provider of '{self._name}' asks not to be called for another {wait:.0f} s, so this call was not "
            "made; try again then, or name a fallback model",
            retry_after_s=wait,
        )

    def _belong_to(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._line.clear()
        self._under_way.clear()
        self._timer = None


def _tokens_used(usage: TokenUsage | None, error: BaseException | None, *, accepted: bool) -> int | None:
    """What a call took; None where nobody knows."""
    if usage is not None:
        both = (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)
        return usage.total_tokens if usage.total_tokens is not None else both or None
    refused = isinstance(error, PromptRailsError) and not isinstance(error, ProviderTimeoutError)
    return 0 if refused and not accepted else None


def _estimate(request: ModelRequest) -> int:
    """Tokens that a call may take: one for four characters of the prompt, and the answer's max_tokens."""
    characters = sum(len(message.content) for message in request.messages)
    characters += sum(len(call.arguments) for message in request.messages for call in message.tool_calls)
    characters += sum(len(tool.description) + len(repr(tool.parameters)) for tool in request.tools)
    return max(1, characters // _CHARS_A_TOKEN + (request.max_tokens or 0))
