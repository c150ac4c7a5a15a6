"""Passwords, beside the name that says so: `DB_PASSWORD=...`, `password: "..."`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from promptrails_scanners.credentials.found import Found
from promptrails_scanners.credentials.structures import is_word
from promptrails_scanners.credentials.values import (
    entropy,
    gibberish,
    is_file,
    is_placeholder,
    is_uuid,
    is_written,
    lowered,
)
from promptrails_scanners.credentials.words import NO_NAMES, NO_PASSWORDS
from promptrails_scanners.foundation import lazily

_WIDEST = 120

_NAME = lazily.pattern(
    r"(?P<word>pass(?:word|wd|phrase)?|pwd)(?P<more>[a-z0-9_]{0,16})(?P<close>\\?[\"'\])]{0,2})"
    r"[ \t]{0,12}(?P<sign>=>|:=|===?|!=|=|:|,)[ \t]{0,12}"
)
_BEFORE = lazily.pattern(r"[A-Za-z0-9_.\-$>\[\"'#]{0,48}\Z")
_SECRET = lazily.pattern(
    r"(?:secret(?:_?key)?|private_?key|api_?key|auth_?token|access_?token|(?:client|app|jwt|consumer)_?secret)"
    r"(?P<close>\\?[\"'\])]{0,2})"
    r"[ \t]{0,12}(?P<sign>=>|:=|=|:)[ \t]{0,12}",
)
_QUOTED = lazily.pattern(r"(?P<open>\\?[\"'`])(?P<value>[^\n\r]{4,200}?)(?P=open)")
_BARE = lazily.pattern(r"(?P<value>[^\s\"'`<>(){}\[\],;&|\\]{5,128})(?=[ \t]{0,64}(?:[;,&\\]?(?:[\s&]|$)|#|//))")
_LINE = lazily.pattern(
    r"[ \t]*(?:#+[ \t]*|//[ \t]*|-[ \t]+|export[ \t]+|set[ \t]+|ENV[ \t]+|\$env:|var[ \t]+|let[ \t]+|const[ \t]+)?"
)
_DOTTED = lazily.pattern(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|->\w+|::\w+)+")
_USER = lazily.pattern(
    r"\b(?:user(?:name)?|login|uid|usr)[\"'\]]{0,2}[ \t]{0,8}(?::=|=>|=|:)[ \t]{0,8}(?P<open>[\"']?)"
    r"(?P<user>[A-Za-z0-9._@\\+-]{3,64})(?P=open)"
    r"[ \t]{0,4}[;,]?[ \t]{0,4}(?:#[^\n]{0,60})?\s{0,16}$",
    re.IGNORECASE,
)


def find(text: str, generic: bool, bits: float) -> Iterator[Found]:
    """The passwords in a text, with the user's name where that stands before; if `generic`, quoted secrets."""
    low = lowered(text)
    for name in _NAME.finditer(low) if "pass" in low or "pwd" in low else ():
        found = _password(text, name)
        if found is None:
            continue
        begin = _begin(text, name.start())
        user = _USER.search(text, max(0, begin - 160), begin)
        if user and user["user"].lower() == "anonymous":
            continue
        if (
            user
            and not is_word(user["user"])
            and user["user"].lower() not in NO_PASSWORDS
            and not is_placeholder(user["user"])
        ):
            yield Found(*user.span("user"), "USERNAME", found.score)
        yield found
    for name in _SECRET.finditer(low) if generic and ("secret" in low or "key" in low or "token" in low) else ():
        quoted = _QUOTED.match(text, name.end())
        if quoted and _is_signs(quoted["value"], bits):
            yield Found(*quoted.span("value"), "SECRET", 0.8)


def _is_signs(value: str, bits: float) -> bool:
    """Whether it is drawn from all signs of the keyboard, as keys of frameworks are."""
    if len(value) < 16 or " " in value or is_placeholder(value) or is_uuid(value):
        return False
    kinds = any(map(str.isdigit, value)) + any(map(str.islower, value)) + any(map(str.isupper, value))
    return (
        kinds + (not value.isalnum()) >= 3 and entropy(value) >= bits and not is_written(value) and not is_file(value)
    )


def _password(text: str, name: re.Match[str]) -> Found | None:
    more = name["more"].strip("_")
    if name["sign"] in ("!=",) or more in NO_NAMES or (name["word"] == "pass" and not _is_pass(text, name)):
        return None
    quoted = _QUOTED.match(text, name.end())
    if quoted:
        if name["sign"] == "," and not name["close"]:
            return None
        return Found(*quoted.span("value"), "PASSWORD", 0.8) if _is_chosen(quoted["value"], quoted=True) else None
    if name["sign"] not in ("=", ":", ":="):
        return None
    bare = _BARE.match(text, name.end())
    if bare is None or not _is_chosen(bare["value"], quoted=False):
        return None
    value = bare["value"]
    if not (_is_setting(text, name) or _has_signs(value)):
        return None
    return Found(*bare.span("value"), "PASSWORD", 0.7)


def _is_pass(text: str, name: re.Match[str]) -> bool:
    """Whether `pass` stands for a password: after an underscore, or alone and in a setting."""
    before = text[max(0, name.start() - 1) : name.start()]
    return (before == "_" or not before.strip(" \t\n#;,{\"'")) and name["more"] == ""


def _is_setting(text: str, name: re.Match[str]) -> bool:
    """Whether the name is one of a file of settings, in capitals and with nothing between it and its value."""
    line = text.rfind("\n", max(0, name.start() - _WIDEST), name.start()) + 1 or max(0, name.start() - _WIDEST)
    begin = _begin(text, name.start())
    key = text[begin : name.end("more")].lstrip("#$ ")
    start = _LINE.match(text, line)
    at_start = start is not None and start.end() >= begin
    return at_start and key.upper() == key and name["sign"] == "=" and text[name.end() - 1] == "="


def _begin(text: str, at: int) -> int:
    """Where the name in a program begins that goes on there."""
    before = _BEFORE.search(text, max(0, at - 48), at)
    return before.start() if before else at


def _has_signs(value: str) -> bool:
    letters = sum(map(str.isalpha, value))
    return letters < len(value) or gibberish(value)


def _is_chosen(value: str, quoted: bool) -> bool:
    """Whether somebody may have chosen it for a password, and not a name in a program for where one will stand."""
    low = value.lower()
    if low in NO_PASSWORDS or is_word(value) or is_placeholder(value) or "pass" in low or "pwd" in low:
        return False
    if value.startswith(("$", "%", "{", "<", "&", "@", "(", "[", "/", "\\", "+", "#", "|", "!ref", "=")) and not _mixed(
        value
    ):
        return False
    if value.count(" ") > 1 or (" " in value and not value.replace(" ", "").isalnum()) or len(set(value)) < 4:
        return False
    if quoted:
        return not _DOTTED.fullmatch(value)
    return not _DOTTED.fullmatch(value) and "(" not in value and "=" not in value[:-2]


def _mixed(value: str) -> bool:
    return any(map(str.isdigit, value)) and any(map(str.isalpha, value)) and value[0] not in "${<"
