"""What servers say of their limits, and accounts that tell credentials apart without giving them away."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrails_engine import Message, ModelRequest, RateLimitDelta, RateLimitError
from promptrails_providers.litellm_provider import LiteLLMProvider
from promptrails_providers.openai_compatible import OpenAICompatibleProvider
from promptrails_providers.openai_compatible.rate_headers import rate_limits_of
from tests.providers.loopback import LoopbackServer
from tests.providers.replies import encode, error, event, streamed

NOW = 1_767_225_600.0  # 2026-01-01T00:00:00Z


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("2m59.56s", 179.56),
        ("120ms", 0.12),
        ("1h2m3s", 3723.0),
        ("1d", 86400.0),
        ("0s", 0.0),
        ("0.5", 0.5),
        ("17", 17.0),
        ("2026-01-01T00:00:30Z", 30.0),
        ("2025-12-31T23:00:00Z", 0.0),
        ("2026-01-01T00:00:30", None),
        ("soon", None),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("", None),
    ],
)
def test_how_long_until_all_is_left_again(value: str, seconds: float | None):
    headers = {"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": value}
    said = rate_limits_of(headers, NOW)
    assert said is not None
    assert said.remaining_requests == 3
    assert said.requests_reset_s == (pytest.approx(seconds) if seconds is not None else None)


@given(
    st.dictionaries(
        st.sampled_from(["remaining-requests", "remaining-tokens", "reset-requests", "reset-tokens"]),
        st.text(max_size=30),
    )
)
def test_no_header_breaks_a_call(headers: dict[str, str]):
    said = rate_limits_of({f"x-ratelimit-{name}": value for name, value in headers.items()}, NOW)
    if said is not None:
        values = (said.remaining_requests, said.remaining_tokens, said.requests_reset_s, said.tokens_reset_s)
        assert all(value is None or value >= 0 for value in values)


def test_headers_of_another_family():
    headers = {"anthropic-ratelimit-tokens-remaining": "7", "anthropic-ratelimit-tokens-reset": "2026-01-01T00:00:12Z"}
    assert rate_limits_of(headers, NOW) == RateLimitDelta(remaining_tokens=7, tokens_reset_s=12.0)
    assert rate_limits_of({"content-type": "text/plain", "x-ratelimit-reset-requests": "1s"}, NOW) is None


async def test_an_answer_and_a_refusal_begin_with_what_is_left(server: LoopbackServer):
    left = {"x_ratelimit_remaining_requests": "4", "x_ratelimit_reset_requests": "8s"}
    answer = [encode(event({"content": "a"})), encode(event({}, "stop"))]
    server.script(streamed(answer, **left), error(429, code="rate_limit_exceeded", **left))
    provider = OpenAICompatibleProvider("wire", server.url, "key")
    request = ModelRequest("m", [Message("user", "hi")])
    deltas = [delta async for delta in provider.stream(request)]
    assert deltas[0] == RateLimitDelta(remaining_requests=4, requests_reset_s=8.0)
    refused = aiter(provider.stream(request))
    assert await anext(refused) == deltas[0]
    with pytest.raises(RateLimitError):
        await anext(refused)
    await provider.aclose()


@pytest.mark.parametrize("make", [OpenAICompatibleProvider, LiteLLMProvider])
def test_an_account_is_a_digest_that_follows_the_key(make: type, monkeypatch: pytest.MonkeyPatch):
    one, same, other = (make(name="openai", api_key=key) for key in ("sk-one", "sk-one", "sk-other"))
    accounts = [provider.account("openai/m").credential for provider in (one, same, other)]
    assert accounts[0] == accounts[1] != accounts[2]
    assert all(account and "sk-" not in account for account in accounts)
    provider = make(name="openai")
    seen: set[str] = set()
    for key in ("", "sk-one", "sk-other"):
        monkeypatch.setenv("OPENAI_API_KEY", key)
        seen.add(provider.account("openai/m").credential)
    assert len(seen) == 3
