"""Secrets told by the form in which they stand: URLs, headers, settings, hashes of passwords."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from promptrails_scanners.credentials.checks import is_jwt
from promptrails_scanners.credentials.found import Found
from promptrails_scanners.credentials.values import entropy, is_placeholder, is_random, lowered
from promptrails_scanners.credentials.words import STAND_INS
from promptrails_scanners.foundation import lazily
from promptrails_scanners.foundation.tree import tree

_WINDOW = 256
_FOR_DOCUMENTS = lazily.pattern(
    r"(?:[\w-]{1,63}\.){0,6}(?:example(?:\.(?:com|net|org))?|test|invalid)(?![\w.-])"
    r"|192\.0\.2\.|198\.51\.100\.|203\.0\.113\.|\[2001:db8:",
    re.IGNORECASE,
)
"""Names and addresses that are reserved for documents (RFC 2606, 5737, 3849)."""


def is_word(value: str) -> bool:
    """Whether it stands for a user's name or password."""
    return value.strip("*<>[]{}$%\"'").lower().replace("-", "_") in STAND_INS or not value.strip("*.xX-_?")


def _password(value: str) -> bool:
    return bool(value) and not is_word(value) and not is_placeholder(value) and len(set(value)) > 2


def _pair(match: re.Match[str]) -> bool:
    """Whether user and password are real: one of them may be a word that is used in documents."""
    user, password = match["user"], match["secret"]
    if not user:
        return _password(password) and len(password) > 3
    if _is_left_out(password) or (_is_left_out(user) and not (len(user) == 1 and user.isalnum())):
        return False
    return (
        not (is_word(user) and is_word(password))
        and user.lower() not in (password.lower(), "anonymous")
        and len(password) > 3
    )


def _url_pair(match: re.Match[str]) -> bool:
    """Whether a URL carries a real user and password: on a host for documents, neither of them is a usual word."""
    if not _pair(match):
        return False
    usual = is_word(match["user"]) or is_word(match["secret"])
    return not (usual and _FOR_DOCUMENTS.match(match.string, match.end()))


def _is_left_out(value: str) -> bool:
    return value.startswith(("$", "<", "{", "%(", "[", "#{")) or not value.strip("*.xX-_?") or is_placeholder(value)


def _secret(match: re.Match[str]) -> bool:
    return _password(match["secret"])


def _drawn(match: re.Match[str]) -> bool:
    return _password(match["secret"]) and entropy(match["secret"]) > 2.5


def _header(match: re.Match[str]) -> bool:
    value = match["secret"]
    return not is_placeholder(value) and is_random(value, 3.0)


def _basic(match: re.Match[str]) -> bool:
    value = match["secret"]
    return not is_placeholder(value) and (value.endswith("=") or is_random(value, 2.8))


def _token(match: re.Match[str]) -> bool:
    return is_jwt(match["secret"])


class _Form(NamedTuple):
    label: str
    keywords: tuple[str, ...]
    """In lower case: the pattern is tried where one stands."""
    pattern: re.Pattern[str]
    """With a group `secret`, and maybe one `user`."""
    real: Callable[[re.Match[str]], bool]
    score: float
    back: int
    """So far before the keyword the pattern may begin; otherwise it begins there."""


def _form(
    label: str, keywords: str, pattern: str, real: Callable[[re.Match[str]], bool], score: float = 0.9, back: int = 0
) -> _Form:
    return _Form(label, tuple(keywords.split("|")), lazily.pattern(pattern, re.IGNORECASE), real, score, back)


_Q = r"\\?[\"']"
_USER = r"[\"']?(?P<user>[^\s\"';]{1,64})[\"']?"
_LOGIN = r"(?<![a-z])(?:user ?id|uid|user ?name|user)\s{0,3}=\s{0,3}(?P<user>[^;\"'\s=]{1,64})\s{0,3};[^\n\r]{0,80}?"
_FORMS = (
    _form(
        "URL_CREDENTIALS",
        "://",
        r"://(?P<user>[^\s:/?#@\"'<>`]{0,128}):(?P<secret>[^\s/?#\"'<>`]{1,256})@(?=[\w\[.$%-])",
        _url_pair,
    ),
    _form(
        "AUTHORIZATION_HEADER",
        "authorization",
        r"authorization\b[\"'\]]{0,2}\s{0,3}[:=,]?\s{0,3}[\"']?basic\s{1,4}(?P<secret>[A-Za-z0-9+/_-]{12,512}={0,2})",
        _basic,
    ),
    _form(
        "AUTHORIZATION_HEADER",
        "authorization",
        r"authorization\b[\"'\]]{0,2}\s{0,3}[:=,]?\s{0,3}[\"']?(?:bearer|token|apikey|key|digest|bot)[\s=:]{1,4}"
        r"(?P<secret>[A-Za-z0-9._~+/|:-]{16,2048}={0,2})",
        _header,
    ),
    _form("JWT", "eyj", r"(?<![\w-])(?P<secret>eyJ[\w-]{8,1024}\.eyJ[\w-]{8,4096}\.[\w-]{16,1024})", _token),
    _form(
        "AZURE_CONNECTION",
        "accountkey=|accesskey=|secretvalue=",
        r"(?:account|access)key=(?P<secret>[A-Za-z0-9+/]{40,100}={0,2})",
        _drawn,
    ),
    _form("AZURE_SIGNATURE", "sig=", r"(?<=[?&])sig=(?P<secret>[A-Za-z0-9%+/]{40,100}(?:%3d|=){0,2})", _drawn),
    _form(
        "CONNECTION_STRING",
        "user|uid",
        _LOGIN + r"(?<![a-z])(?:password|pwd)\s{0,3}=\s{0,3}(?P<secret>[^;\"'\r\n]{3,128}?)\s{0,3}(?=[;\"'\r\n]|$)",
        _pair,
    ),
    _form("TELEGRAM_TOKEN", ":aa", r"(?<![\w:])(?P<secret>\d{8,10}:AA[\w-]{31,36})(?![\w-])", _drawn, back=10),
    _form(
        "TELEGRAM_TOKEN",
        "tgram://|telegram",
        r"(?:tgram://|telegram[\s\"':=_a-z/.]{0,24}?)(?:bot)?(?P<secret>\d{8,10}:[\w-]{35})(?![\w-])",
        _drawn,
    ),
    _form(
        "TEAMS_WEBHOOK",
        ".office",
        r"(?P<secret>https://[a-z0-9.-]{1,60}\.office(?:365)?\.com/webhook(?:b2)?/[a-z0-9-]{36}@[a-z0-9-]{36}/\w{1,40}"
        r"/[a-z0-9]{32}/[a-z0-9-]{36})",
        _drawn,
        back=70,
    ),
    _form(
        "THINGSBOARD_KEY",
        "thingsboard.",
        r"thingsboard\.[a-z]{2,8}(?::\d{2,5})?/api/v1/(?P<secret>[a-z0-9]{20})/",
        _drawn,
    ),
    _form(
        "PASSWORD",
        "psexec",
        rf"psexec(?:64)?(?:\.exe)?\b[^\n]{{0,120}}?\s-u\s{{1,4}}{_USER}\s{{1,4}}-p\s{{1,4}}[\"']?(?P<secret>[^\s\"']{{2,64}})",
        lambda match: not _is_left_out(match["secret"]) or not _is_left_out(match["user"]),
    ),
    _form(
        "PASSWORD",
        "connect-viserver",
        rf"connect-viserver\b[^\n]{{0,120}}?-user\s{{1,4}}{_USER}\s{{1,4}}-password\s{{1,4}}[\"']?(?P<secret>[^\s\"']{{2,64}})",
        _pair,
    ),
    _form(
        "PASSWORD",
        "directoryentry(",
        r"directoryentry\(\s{0,4}[\"'][^\"'\n]{1,200}[\"'],\s{0,40}[\"'](?P<user>[^\"'\n]{1,100})[\"'],\s{0,40}"
        r"[\"'](?P<secret>[^\"'\n]{2,100})[\"']",
        _pair,
    ),
    _form(
        "PASSWORD",
        "->username",
        r"->username\s{0,8}=\s{0,8}[\"'](?P<user>[^\"'\n]{1,100})[\"'];[^\n]{0,120}\s{1,40}[^\n]{0,40}?"
        r"->password\s{0,8}=\s{0,8}[\"'](?P<secret>[^\"'\n]{2,100})[\"']",
        _pair,
    ),
    _form(
        "PASSWORD",
        "credentials",
        r"credentials\s{0,4}\{[^{}]{0,200}?\busername\s{0,4}[=(]?\s{0,4}[\"'](?P<user>[^\"'\n]{1,100})[\"']\)?\s{0,80}"
        r"password\s{0,4}[=(]?\s{0,4}[\"'](?P<secret>[^\"'\n]{2,100})[\"']",
        lambda match: not _is_left_out(match["secret"]) and not is_word(match["user"]),
    ),
    _form(
        "PASSWORD",
        "machine",
        r"machine\s{1,4}[\w.-]{1,100}\s{1,8}login\s{1,4}(?P<user>\S{1,64})\s{1,8}password\s{1,4}(?P<secret>\S{2,128})",
        _pair,
    ),
    _form(
        "PASSWORD",
        "curl",
        rf"curl\b[^\n]{{0,200}}?\s(?:-u|--user)[\s=]{{1,3}}{_Q}?(?P<user>[^\s:\"'$]{{1,64}}):(?P<secret>[^\s\"'$]{{3,128}})",
        _pair,
        0.8,
    ),
    _form("PASSWORD", "sshpass", rf"sshpass\s{{1,4}}-p\s{{0,4}}{_Q}?(?P<secret>[^\s\"']{{4,128}})", _secret, 0.8),
    _form(
        "PASSWORD", "--password", rf"--password[=\s]{{1,3}}{_Q}?(?P<secret>[^\s\"'-][^\s\"']{{3,128}})", _secret, 0.7
    ),
    _form("PASSWORD", "proceed to installation", r"proceed to installation:\s{1,16}(?P<secret>[0-9a-f]{32})\b", _drawn),
    _form(
        "PASSWORD_HASH",
        "$1$|$5$|$6$|$7$|$8$|$9$|$y$|$gy$|$2$|$2a$|$2b$|$2x$|$2y$|$md5|$apr1$|$sha1$|$argon2|$scrypt$|$pbkdf2|$krb5",
        r"(?<![\w$])(?P<secret>\$[a-z0-9-]{1,16}\$(?:[\w=,.@*-]{1,40}\$){0,3}[./A-Za-z0-9+=]{1,64}\$?[./A-Za-z0-9+=$]{16,2048})",
        _drawn,
    ),
    _form("PASSWORD_HASH", "{sha|{ssha", r"(?P<secret>\{S?SHA(?:256|512)?\}[A-Za-z0-9+/]{26,120}={0,2})", _drawn),
    _form("PRIVATE_KEY", '"d"|"k"', r"\"[dk]\"\s{0,4}:\s{0,4}\"(?P<secret>[\w-]{32,1024})\"", _drawn),
    _form(
        "NPM_TOKEN",
        "_authtoken",
        r"_authtoken\"?\s{0,4}[=:]\s{0,4}\"?(?P<secret>[\w-]{36,72})(?![\w-])",
        _drawn,
    ),
    _form(
        "PRIVATE_KEY",
        "privatekey|presharedkey",
        r"p\w{4,9}key\s{0,4}=\s{0,4}(?P<secret>[A-Za-z0-9+/]{43}=)",
        _drawn,
    ),
)


_KEYWORD = lazily.pattern(tree(keyword for form in _FORMS for keyword in form.keywords))


def find(text: str) -> Iterator[Found]:
    """The secrets in a text that stand in a form of their own."""
    low = lowered(text)
    if not _KEYWORD.search(low):
        return
    for form in _FORMS:
        for keyword in form.keywords:
            if keyword in low:
                yield from _stand(text, low, form, keyword)


def _stand(text: str, low: str, form: _Form, keyword: str) -> Iterator[Found]:
    at = low.find(keyword)
    while at >= 0:
        match = (
            form.pattern.search(text, max(0, at - form.back), at + _WINDOW)
            if form.back
            else form.pattern.match(text, at)
        )
        if match and form.real(match):
            yield from _parts(form, match)
        at = low.find(keyword, at + len(keyword))


def _parts(form: _Form, match: re.Match[str]) -> Iterator[Found]:
    groups = match.re.groupindex
    user = match["user"] if "user" in groups else ""
    if form.label == "URL_CREDENTIALS":
        yield Found(match.start("user"), match.end("secret"), form.label, form.score)
        return
    if user and not is_word(user) and not _is_left_out(user):
        yield Found(*match.span("user"), "USERNAME", form.score)
    if not _is_left_out(match["secret"]) or not user:
        yield Found(*match.span("secret"), form.label, form.score)
