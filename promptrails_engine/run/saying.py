"""What listeners hear of a reply while it comes: all of it, or what its guards have let pass so far."""

from __future__ import annotations

from promptrails_engine.events import ContentEvent
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.guards import Guard
from promptrails_engine.run.looking import let_pass

_AGAIN = 16
"""A guard is asked again when a sixteenth of what it holds has come."""


class Saying:
    """One reply on its way to the listeners.  Whatever is not ended is never heard."""

    def __init__(self, ctx: RunContext) -> None:
        self._ctx = ctx
        self._held = [_Held(guard) for guard in ctx.plan.guards.windows]
        self._restorers = [scanner.restorer() for scanner in reversed(ctx.labels)]
        self._said = 0

    async def say(self, text: str) -> None:
        """Let be heard what can be, now that this text has come.

        Raises:
            GuardrailBlockedError: a guard lets it not pass; what was heard before has been heard.
        """
        await self._pass(text, ended=False)

    async def end(self) -> None:
        """Let the rest be heard: no more comes.

        Raises:
            GuardrailBlockedError: a guard lets it not pass.
        """
        await self._pass("", ended=True)

    async def _pass(self, text: str, *, ended: bool) -> None:
        for held in self._held:
            text = await held.through(self._ctx, text, self._said, ended=ended)
            if not text and not ended:
                return
        for restorer in self._restorers:
            text = restorer.feed(text) + (restorer.end() if ended else "")
        if text:
            self._said += len(text)
            self._ctx.emit(ContentEvent(text))


async def say(ctx: RunContext, text: str) -> None:
    """Let a reply be heard that is there as a whole.

    Raises:
        GuardrailBlockedError: a guard lets it not pass.
    """
    if not text:
        return
    saying = Saying(ctx)
    await saying.say(text)
    await saying.end()


class _Held:
    """What one guard holds back."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._parts: list[str] = []
        self._size = 0
        self._due = 0
        """The guard is asked again once so much is held: each time a part more, so that all its looks together cost as
        much as a few looks at all of it, however small the parts are."""

    async def through(self, ctx: RunContext, text: str, said: int, *, ended: bool) -> str:
        """What may go on."""
        self._parts.append(text)
        self._size += len(text)
        if not ended and self._size < self._due:
            return ""
        held = "".join(self._parts)
        cut = len(held) if ended else (self._guard.scanner.settled(held) or 0)
        self._parts, self._size = [held[cut:]], len(held) - cut
        self._due = self._size + self._size // _AGAIN
        return await let_pass(ctx, self._guard, held[:cut], said) if cut else ""
