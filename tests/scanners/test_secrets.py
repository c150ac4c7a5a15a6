"""Secrets: what is found, what is not, and what the options change."""

from __future__ import annotations

import base64
import random
import re
from typing import Any

import pytest

from promptrails_engine.errors import ConfigurationError
from promptrails_scanners import secrets
from promptrails_scanners.credentials import tokens
from tests.scanners.data import shared_rows
from tests.scanners.drawn import HEX, LETTERS, drawn, github, jwt, like, pem

UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def types(text: str, **options: Any) -> list[str]:
    return [one.type for one in secrets.scan(text, **options).findings]


def found(text: str, **options: Any) -> list[str]:
    return [text[one.start : one.end] for one in secrets.scan(text, **options).findings]


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        (github(), "GITHUB_TOKEN"),
        ("glpat-" + drawn(20), "GITLAB_TOKEN"),
        ("AKIA" + drawn(16, UPPER), "AWS_ACCESS_KEY"),
        ("AIza" + drawn(35), "GOOGLE_API_KEY"),
        ("sk-ant-api03-" + drawn(93, LETTERS + "-_"), "ANTHROPIC_KEY"),
        ("sk-proj-" + drawn(60, LETTERS + "-_"), "OPENAI_KEY"),
        ("sk_live_" + drawn(24), "STRIPE_KEY"),
        ("SG." + drawn(22) + "." + drawn(43), "SENDGRID_KEY"),
        ("xoxb-" + drawn(12, "0123456789a") + "-" + drawn(24), "SLACK_TOKEN"),
        ("npm_" + drawn(36), "NPM_TOKEN"),
        ("hvs." + drawn(40), "VAULT_TOKEN"),
        ("dop_v1_" + drawn(64, HEX), "DIGITALOCEAN_TOKEN"),
        ("shpat_" + drawn(32, HEX), "SHOPIFY_TOKEN"),
        ("lin_api_" + drawn(40), "LINEAR_KEY"),
        ("pypi-AgEIcHlwaS5vcmc" + drawn(80, LETTERS + "-_"), "PYPI_TOKEN"),
        (drawn(3) + "8Q~" + drawn(33, LETTERS + "_.~"), "AZURE_CLIENT_SECRET"),
        (drawn(10, HEX) + "msh" + drawn(15, HEX) + "p1" + drawn(6, HEX) + "jsn" + drawn(12, HEX), "RAPIDAPI_KEY"),
        (jwt(), "JWT"),
        (pem(), "PRIVATE_KEY"),
        (pem(kind="OPENSSH PRIVATE KEY"), "PRIVATE_KEY"),
        ("AGE-SECRET-KEY-1" + drawn(58, UPPER), "AGE_SECRET_KEY"),
        ("$2b$12$" + drawn(53, LETTERS + "./"), "PASSWORD_HASH"),
        (drawn(9, "123456789a").replace("a", "1") + ":AA" + drawn(33), "TELEGRAM_TOKEN"),
    ],
)
def test_a_token_is_found_by_its_form(value: str, type_: str) -> None:
    text = f"Here it is:\n{value}\nand that was it."
    assert types(text) == [type_]
    assert found(text) == [value]


@pytest.mark.parametrize(
    ("before", "value", "after", "type_"),
    [
        ("DATADOG_API_KEY=", drawn(32, HEX), "", "DATADOG_KEY"),
        ('"algolia": {"adminApiKey": "', drawn(32, HEX), '"}', "ALGOLIA_KEY"),
        ("my mailgun token is ", drawn(40), " and it works", "MAILGUN_KEY"),
        (
            "herokuSecretKey: ",
            "-".join(drawn(size, HEX, at) for at, size in enumerate((8, 4, 4, 4, 12))),
            "",
            "HEROKU_KEY",
        ),
        ("jira\ntoken\n", drawn(24), "\n", "JIRA_KEY"),
        ("export WEATHERBIT-SECRET-", drawn(32, HEX), "", "WEATHERBIT_KEY"),
        ("client_secret = '", drawn(40), "'", "API_KEY"),
        ('{"accessToken":"', drawn(32), '"}', "API_KEY"),
        ("x-api-key: ", drawn(32), "", "API_KEY"),
        ("SECRET_KEY = '", "k!3" + drawn(40, LETTERS + "!@#%^&*-_=+"), "'", "SECRET"),
        ("DB_PASSWORD=", "wqzklvbt", "", "PASSWORD"),
        ('password: "', "tr0ub4dor&3", '"', "PASSWORD"),
        ("postgresql://", "svc_app:" + drawn(12), "@db.internal:5432/main", "URL_CREDENTIALS"),
        ("https://", "deploy:p@ss" + drawn(8), "@git.internal/x", "URL_CREDENTIALS"),
        ("Authorization: Bearer ", drawn(40), "", "AUTHORIZATION_HEADER"),
        ("redis://", ":" + drawn(14), "@cache.internal:6379/0", "URL_CREDENTIALS"),
        ("postgres://", "u:" + drawn(14), "@db.example.com/main", "URL_CREDENTIALS"),
        ("//registry.internal/:_authToken=", drawn(40), "", "NPM_TOKEN"),
        ("AUTH0_CLIENT_SECRET=", drawn(64), "", "AUTH0_KEY"),
        ("'authorization': 'Basic ", "ZGVwbG95OnRpZ2VyMTIzNA==", "'", "AUTHORIZATION_HEADER"),
        ("AccountName=store;AccountKey=", drawn(86, LETTERS + "+/") + "==", ";", "AZURE_CONNECTION"),
    ],
)
def test_a_value_is_found_by_what_stands_around_it(before: str, value: str, after: str, type_: str) -> None:
    text = before + value + after
    assert found(text) == [value]
    assert types(text) == [type_]


@pytest.mark.parametrize(
    "text",
    [
        "The quick brown fox jumps over the lazy dog, and nobody needs a token for that.",
        f"commit {drawn(40, HEX)}\nAuthor: somebody\n\n    fix the api key page",
        f'"integrity": "sha512-{drawn(86, LETTERS + "+/")}=="',
        f"left-pad@1.3.0:\n  checksum: {drawn(64, HEX)}",
        f"image: registry/app@sha256:{drawn(64, HEX)}",
        "request id 4b7e1c02-9c1b-4a77-8f3e-0d5b9a1c2e3f was slow",
        "token: 4b7e1c02-9c1b-4a77-8f3e-0d5b9a1c2e3f",
        "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE",
        "API_KEY=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "GITHUB_TOKEN=ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "password: ${DB_PASSWORD}",
        'password = os.environ["DB_PASSWORD"]',
        "password = request.form.password",
        'password: "changeme"',
        "Password: required",
        "postgres://user:password@localhost/db",
        "https://{user}:{pass}@host/",
        "mysql://root:${MYSQL_PASSWORD}@db/app",
        "api_key = get_api_key_from_vault_by_name(name)",
        "secretKeyRef: my-application-secrets-production",
        "SECRET_MANAGER_CLIENT = SecretManagerServiceClientFactory2",
        "const validKeyChars = '0123456789abcdefghijklmnopqrstuvwxyz'",
        f"public_key: {drawn(43, LETTERS)}",
        "-----BEGIN PRIVATE KEY-----\nput yours here\n-----END PRIVATE KEY-----",
        f"-----BEGIN PUBLIC KEY-----\n{drawn(64)}\n{drawn(64, seed=2)}\n-----END PUBLIC KEY-----",
        "https://cdn.internal/assets/ico-" + drawn(32, HEX) + ".png",
        jwt('{"not": "a header"}'),
        f"AUTH0_CLIENT_ID={drawn(32)}",
        f'"tenantId": "{drawn(32)}"',
        "secret_access_key = 'abcdefg12346+FJQCK'",
        "postgresql://app:secret@db.example.com/main",
        "mysql://root:rx7K2@[2001:db8::17]/main",
        "datadog-api-key: 3fA9c0De17b2846f5Ea10c9D7b3e8a42f6d1c05B",
        f"api_key: {base64.b64encode(b'read the manual first').decode()}",
        "redis://:${REDIS_PASSWORD}@cache:6379/0",
        "redis://:password@cache:6379/0",
        "//registry.internal/:_authToken=${NPM_TOKEN}",
        "",
        " \n\t",
    ],
)
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    verdict = secrets.scan(text)
    assert not verdict.triggered
    assert verdict.score == 0
    assert verdict.redacted == text


def rules_of_the_table() -> list[tuple[str, str, re.Pattern[str]]]:
    """What tokens begin with, or have in them, their label and their pattern."""
    table = tokens._table()
    begin = [(prefix, rule.label, rule.pattern) for prefix, rules in table.rules.items() for rule in rules]
    return begin + [(inside, rule.label, rule.pattern) for inside, rule in table.inner.items()]


def test_letters_before_hexadecimal_digits_may_be_of_another_case() -> None:
    assert types(f"datadog-api-key: {drawn(40, HEX)}") == ["DATADOG_KEY"]
    assert types(f"datadog-api-key: AC{drawn(40, HEX)}") == ["DATADOG_KEY"]


def test_every_row_of_the_table_finds_tokens_of_its_form() -> None:
    rows = rules_of_the_table()
    assert len(rows) > 500
    missed: list[tuple[str, str, int]] = []
    for prefix, label, pattern in rows:
        source = random.Random(f"{prefix} {pattern.pattern}")
        drawn_ones = [like(pattern, source) for _ in range(8)]
        texts = [f"so: {one} there" for one in drawn_ones]
        hits = sum(any((one.start, one.end) == (4, len(text) - 6) for one in tokens.find(text)) for text in texts)
        if hits < 4:  # some are drawn too regular for a token
            missed.append((prefix, label, hits))
    assert missed == []


@pytest.mark.parametrize(
    "service", ["datadog", "algolia", "mailgun", "cloudflare", "newrelic", "sentry", "zendesk", "okta"]
)
@pytest.mark.parametrize(
    "form",
    ["{}_API_KEY={!r}", "{}ApiToken: {}", '{{"{}": {{"apiKey": "{}"}}}}', "my {} token is {}", "--{}-secret-key {}"],
)
def test_values_of_services_are_found_however_they_are_named(service: str, form: str) -> None:
    value = drawn(32, HEX, seed=len(service))
    text = form.format(service, value)
    assert found(text) == [value]


PROSE = """
The committee met on 2026-03-14 and again on 2026-04-02; room B12-0047 was free. Order 4711-0815 left the house at
09:30, parcel 1Z999AA10123456784, invoice INV-2026-000481. See section 3.2.1 of ISO-8601, or RFC 7519, for what a token
is. The password has to have eight characters and one digit; nobody will ever ask for your password.
Please reset the password, then log in with the new one. The secret of good bread is time.
Keys are on the hook; the access code is on the door.
Basic authentication sends a user and a password with every request. A bearer token is like cash. The key idea is that
authors own what they author. Version 4.11.0-rc.2 of the api was built from 9f2c1e7b3a4d by build #20260314.7.
Use `os.environ["API_KEY"]` or `${API_KEY}`, never a literal.
export API_KEY=<your key here>. api_key: str | None = None.
def login(user: str, password: str) -> Token: ...  self.password = password; if password != confirm_password: raise
ssh-ed25519 is a kind of key. The md5 of it is d41d8cd98f00b204e9800998ecf8427e.
data-testid="login-form-submit-button-2"
GET /v2/users/4711/tokens?page=3&sort=created_at HTTP/1.1 404.
UUIDs such as 123e4567-e89b-12d3-a456-426614174000 count up.
"""


@pytest.mark.parametrize("line", [line for line in PROSE.splitlines() if line])
def test_prose_and_code_about_secrets_has_none(line: str) -> None:
    assert types(line) == []


def test_every_place_of_a_value_goes_and_the_name_stays() -> None:
    value = github()
    text = f"first {value}, API_KEY={value}\n{value},{value}"
    verdict = secrets.scan(text)
    assert verdict.redacted == "first [GITHUB_TOKEN], API_KEY=[GITHUB_TOKEN]\n[GITHUB_TOKEN],[GITHUB_TOKEN]"
    assert value not in verdict.reason
    assert secrets.scan(verdict.redacted).findings == ()


def test_a_value_counts_where_nothing_says_so_too() -> None:
    value = drawn(40)
    text = f"{value} looks odd.\nclient_secret = '{value}'\nand {value} again"
    assert found(text) == [value] * 3
    assert found(text, occurrences="after") == [value] * 2


def test_a_password_that_is_a_word_is_not_cut_elsewhere() -> None:
    text = "postgresql://billing:secret@db/main keeps no secret"
    assert secrets.scan(text).redacted == "postgresql://[URL_CREDENTIALS]@db/main keeps no secret"


def test_offsets_are_those_of_the_text() -> None:
    value = "glpat-" + drawn(20)
    text = f"\U0001f511 ke\u0301y \u0130 \u200d {value} \U0001f468\u200d\U0001f469"
    assert found(text) == [value]
    assert secrets.scan(text).redacted == text.replace(value, "[GITLAB_TOKEN]")


def test_many_values_are_each_found_everywhere() -> None:
    values = [github(seed) for seed in range(60)]
    text = "\n".join(values) + "\n" + " ".join(reversed(values))
    assert len(found(text)) == 120
    redacted = secrets.scan(text).redacted
    assert redacted is not None
    assert not any(value in redacted for value in values)


# ------------------------------------------------------------------ options


def test_providers_are_chosen_or_left_out() -> None:
    text = f"{github()} and sk_live_{drawn(24)} and password: 'tr0ub4dor&3'"
    assert types(text) == ["GITHUB_TOKEN", "STRIPE_KEY", "PASSWORD"]
    assert types(text, providers=["github"]) == ["GITHUB_TOKEN"]
    assert types(text, providers=["Stripe", "password"]) == ["STRIPE_KEY", "PASSWORD"]
    assert types(text, exclude=["stripe"]) == ["GITHUB_TOKEN", "PASSWORD"]


def test_generic_values_can_be_left_out_and_asked_for_more() -> None:
    text = f"client_secret = '{drawn(16, 'ab12cd')}'"
    assert types(text, entropy=2.0) == ["API_KEY"]
    assert types(text, entropy=4.5) == []
    assert types(f"client_secret = '{drawn(40)}'", generic=False) == []


def test_entropy_alone_is_off() -> None:
    value = drawn(44)
    assert types(f"see {value} there") == []
    assert types(f"see {value} there", entropy_only=True) == ["HIGH_ENTROPY"]


def test_own_patterns() -> None:
    own = {"name": "acme", "pattern": r"acme-[0-9]{6}"}
    assert types("the badge acme-104729 opens", patterns=[own]) == ["ACME"]
    assert types("the badge ACME-104729 opens", patterns=[own]) == []
    assert types("the badge ACME-104729 opens", patterns=[own | {"case_sensitive": False}]) == ["ACME"]
    assert types("the badge acme-104729 opens", patterns=[own], providers=["github"]) == ["ACME"]


def test_what_is_allowed_never_counts() -> None:
    value = github()
    assert types(value, allow=[value]) == []
    assert types(value, allow_patterns=["ghp_.{36}"]) == []
    assert types(value, allow_patterns=["ghp_.{3}"]) == ["GITHUB_TOKEN"]


def test_checksums_are_looked_at() -> None:
    right, wrong = github(), github()[:-6] + "000000"
    assert secrets.scan(right).score > secrets.scan(wrong).score
    assert types(wrong + " ", verify_checksum=True) == []
    assert types(right, verify_checksum=True) == ["GITHUB_TOKEN"]


def test_the_threshold_is_held_against_the_score() -> None:
    text = "DB_PASSWORD=wqzklvbt"
    assert types(text, threshold=0.6) == ["PASSWORD"]
    assert types(text, threshold=0.9) == []


def test_what_stands_in_place() -> None:
    value = github()
    assert secrets.scan(f"t={value}", redact_mode="all").redacted == "t=******"
    assert secrets.scan(f"t={value}", redact_mode="partial").redacted == f"t=ghp_******{value[-2:]}"
    assert secrets.scan("password: 'tr0ub4dor&3'", redact_mode="partial").redacted == "password: '******'"
    hashed = secrets.scan(f"t={value}", redact_mode="hash", hash_key="k" * 16).redacted
    assert hashed == secrets.scan(f"t={value}", redact_mode="hash", hash_key="k" * 16).redacted
    assert hashed != secrets.scan(f"t={value}", redact_mode="hash", hash_key="j" * 16).redacted
    assert hashed is not None
    assert hashed.startswith("t=[GITHUB_TOKEN:")


@pytest.mark.parametrize("mode", ["label", "all", "partial", "hash"])
def test_halves_of_surrogate_pairs_are_characters_like_others(mode: str) -> None:
    redacted = secrets.scan("\ud83d password: '\ud800abcd123!'", redact_mode=mode).redacted
    assert redacted is not None
    assert redacted.startswith("\ud83d password: '")
    assert "abcd123" not in redacted


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"provider": ["github"]}, "did you mean 'providers'"),
        ({"providers": []}, "'providers' is empty"),
        ({"providers": ["githup"]}, "did you mean 'github'"),
        ({"exclude": ["no-such-service-anywhere"]}, "no provider"),
        ({"entropy": 9}, "entropy"),
        ({"redact_mode": "blur"}, "redact_mode"),
        ({"hash_key": "short"}, "hash_key"),
        ({"patterns": [{"name": "x", "pattern": "(a+)+"}]}, "patterns"),
        ({"patterns": [{"name": "x", "pattern": "a*"}]}, "patterns"),
        ({"patterns": [{"name": "not a name", "pattern": "abc"}]}, "patterns"),
        ({"allow_patterns": ["("]}, "allow_patterns"),
        ({"allow": [""]}, "allow"),
        ({"threshold": 2}, "threshold"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        secrets.build(options)


def test_long_texts() -> None:
    text = "word " * 50 + github()
    assert secrets.scan(text, max_chars=100, on_too_long="block").triggered
    cut = secrets.scan(text, max_chars=100, on_too_long="truncate_and_report")
    assert not cut.triggered
    assert cut.truncated
    assert cut.redacted == text


def test_it_says_what_it_is() -> None:
    assert secrets.META.type == "secrets"
    assert secrets.META.redacts == "spans"
    assert {"providers", "generic", "redact_mode", "threshold"} <= set(secrets.META.config_fields)
    assert "tr0ub" not in repr(secrets.scan("password: 'tr0ub4dor&3'"))


# ------------------------------------------------------------------ floors


def test_floors_on_labelled_texts() -> None:
    rows = shared_rows("secrets")
    hits = [(secrets.scan(row["text"]).triggered, row["label"], row["source"]) for row in rows]
    true = sum(hit and label for hit, label, _ in hits)
    false = sum(hit and not label for hit, label, _ in hits)
    missed = sum(not hit and label for hit, label, _ in hits)
    negatives = sum(not label for _, label, _ in hits)
    assert 2 * true / (2 * true + false + missed) >= 0.95
    assert true / (true + missed) >= 0.94
    assert false / negatives <= 0.033  # nearly all of them are credentials that another rule of their source finds
    assert not any(hit for hit, _, source in hits if "commit" in source or "lock" in source)


def test_nothing_that_was_found_is_left() -> None:
    for row in shared_rows("secrets"):
        verdict = secrets.scan(row["text"])
        assert verdict.redacted is not None
        for one in verdict.findings:
            value = row["text"][one.start : one.end]
            if len(value) >= 8 and any(map(str.isdigit, value)):
                assert value not in verdict.redacted
