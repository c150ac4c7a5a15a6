"""What listeners hear of a reply while it comes: all of it, or what its guards have let pass so far."""

from __future__ import annotations

from promptrails_engine.events import ContentEvent
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.guards import Guard
from promptrails_engine.run.looking import Allowance, cut_of, let_pass

_ALWAYS_CHARS = 256
_GROWTH = 0.25
"""A held text of more than so many characters is looked at again when it has grown by this part."""


class Saying:
    """One reply on its way to the listeners.  Whatever is not ended is never heard."""

    def __init__(self, ctx: RunContext) -> None:
        self._ctx = ctx
        allowance = Allowance.of(ctx)
        self._held = [_Held(guard, allowance) for guard in ctx.guards.windows]
        self._restorers = [scanner.restorer() for scanner in reversed(ctx.labels.own)]
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

    def __init__(self, guard: Guard, allowance: Allowance) -> None:
        self._guard = guard
        self._allowance = allowance
        self._text = ""
        self._pieces: list[str] = []
        """What has come since the guard was asked where the text can be cut."""
        self._come = 0

    async def through(self, ctx: RunContext, text: str, said: int, *, ended: bool) -> str:
        """What may go on.

        A long text that is held is not read again for every few characters: asked for once it has grown by a part, all
        the questions together read a few times its length.
        """
        self._pieces.append(text)
        self._come += len(text)
        if not ended and self._come < len(self._text) * _GROWTH and len(self._text) > _ALWAYS_CHARS:
            return ""
        self._text += "".join(self._pieces)
        self._pieces.clear()
        self._come = 0
        cut = len(self._text) if ended else await cut_of(ctx, self._guard, self._text, said, self._allowance)
        if not cut:
            return ""
        free, self._text = self._text[:cut], self._text[cut:]
        return await let_pass(ctx, self._guard, free, said, self._allowance)
