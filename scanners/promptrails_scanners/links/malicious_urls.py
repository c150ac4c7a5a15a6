"""What the scanner `malicious_urls` looks at and how it judges, loaded at its first use.

A link is judged by itself, with no look at where it leads: by a small model over its letters and how it is built, by
what is known of its domain, and by rules for what no honest link does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, Field, StringConstraints

from promptrails_engine.ports.scanner import Finding, Scanner, Verdict
from promptrails_scanners.foundation import lazily
from promptrails_scanners.foundation.base import BaseScanner
from promptrails_scanners.foundation.options import ScannerOptions, read_options
from promptrails_scanners.foundation.places import replace, union
from promptrails_scanners.links import model
from promptrails_scanners.links.address import Address, parents, parsed
from promptrails_scanners.links.finder import Link, begin_of, find
from promptrails_scanners.links.leaks import carries
from promptrails_scanners.links.looks import imitated, is_mixed
from promptrails_scanners.malicious_urls import META

__all__ = ["Options", "build"]

_THRESHOLD = 0.5
_SCRIPT, _LOOKALIKE = 0.9, 0.9
_HOST_BEFORE, _USER = 0.9, 0.6
"""Before an `@`: what looks like a host, and is none; a user's name."""
_BY_IMAGE, _BY_CLICK = 0.85, 0.6
"""An image is fetched by itself."""
_REMOVED = "[URL removed]"
_RANKS = {"BLOCKED_URL": 6, "DANGEROUS_SCHEME": 5, "LOOKALIKE_URL": 4, "CREDENTIALS_URL": 3, "EXFILTRATION_URL": 2}
_SIGN = "a-z0-9\u0080-\U0010ffff"
_HOST = lazily.pattern(
    rf"(?:[{_SIGN}_](?:[{_SIGN}_-]{{0,61}}[{_SIGN}])?\.){{0,8}}[{_SIGN}-]{{1,63}}|[0-9a-f:.]{{2,45}}"
)


def _host(name: str) -> str:
    plain = name.strip().lower().removeprefix("*.").lstrip(".").rstrip(".")
    if not plain or not _HOST.fullmatch(plain):
        raise ValueError("not the name of a host, such as example.com")
    return plain


Host = Annotated[str, StringConstraints(min_length=1, max_length=253), AfterValidator(_host)]


class Options(ScannerOptions):
    """Which links count as harmful, and what takes their place."""

    block_domains: tuple[Host, ...] = Field(
        default=(), validation_alias=AliasChoices("block_domains", "blocked_domains")
    )
    """Links to these and to all below them always count."""
    allow_domains: tuple[Host, ...] = Field(
        default=(), validation_alias=AliasChoices("allow_domains", "allowed_domains")
    )
    """Links to these and to all below them never count, unless what is blocked is below them."""
    block_tlds: tuple[Host, ...] = ()
    check_punycode: bool = True
    """Whether hosts count that look like others, in letters or in Punycode."""
    check_exfiltration: bool = True
    """Whether images and links in Markdown and HTML count that carry long or coded values to unknown domains."""
    check_credentials: bool = True
    """Whether links with a user's name and password, or with a host before an `@`, count."""
    use_model: bool = True
    """Whether the model judges links; without it only the lists and rules do."""
    max_urls: int = Field(default=2000, ge=1)
    """So many links of a text are judged; where there are more, the verdict says that it is cut short."""
    redact_mode: Literal["remove", "defang"] = "remove"
    """What becomes of a link: `[URL removed]`, or `hxxps://host[.]example/path`, which nothing follows."""
    replacement: str = Field(default=_REMOVED, max_length=200)


class MaliciousUrls(BaseScanner[Options]):
    """Judges every link in a text."""

    meta = META

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._threshold = _THRESHOLD if options.threshold is None else options.threshold
        self._blocked = frozenset(options.block_domains)
        self._allowed = frozenset(options.allow_domains)
        self._tlds = frozenset(options.block_tlds)
        self._listed = bool(self._blocked or self._allowed or self._tlds)

    def judge(self, text: str) -> Verdict:
        links, cut = self._links(text)
        judged = [(link, *self._judged(link)) for link in links]
        findings = union(self._findings(judged), _RANKS)
        highest = max((score for _, _, score in judged), default=0.0)
        if not findings:
            return Verdict(False, highest, redacted=text, truncated=cut)
        kinds: dict[str, float] = {}
        for one in findings:
            kinds[one.type] = max(one.score, kinds.get(one.type, 0.0))
        places = "one harmful link" if len(findings) == 1 else f"{len(findings)} harmful links"
        why = f"{places} of {len(links)}: {', '.join(sorted(kinds))}"
        return Verdict(True, highest, findings, replace(text, findings, self._instead), kinds, why, truncated=cut)

    def settled(self, text: str) -> int | None:
        """How much is decided: all before the last run of characters and what it belongs to, and before the first link
        that harms in some places only: where it stands so, it counts wherever it stands."""
        at = begin_of(text, len(text))
        for link in self._links(text[:at])[0]:
            if self._hangs_on_place(link):
                return begin_of(text, link.start)
        return at

    def _links(self, text: str) -> tuple[list[Link], bool]:
        links: list[Link] = []
        for link in find(text):
            if len(links) == self.options.max_urls:
                return links, True
            if not (self.allowed and self.allowed.covers(link.text)):
                links.append(link)
        return links, False

    def _findings(self, judged: Iterable[tuple[Link, str, float]]) -> Iterable[Finding]:
        """Those over the threshold; a link that carries something away counts wherever it stands again."""
        rows = list(judged)
        known: dict[str, tuple[str, float]] = {}
        for link, kind, score in rows:
            if score >= self._threshold and score > known.get(link.text, ("", 0.0))[1]:
                known[link.text] = (kind, score)
        for link, _, _ in rows:
            if link.text in known:
                yield Finding(link.start, link.end, *known[link.text])

    def _judged(self, link: Link) -> tuple[str, float]:
        """What speaks most against a link, and how much."""
        if link.script:
            return "DANGEROUS_SCHEME", _SCRIPT
        address = parsed(link.text)
        if address is None:
            return "MALICIOUS_URL", 0.0
        if self._listed:
            above = parents(address.host)
            if not self._blocked.isdisjoint(above) or above[-1].rpartition(".")[2] in self._tlds:
                return "BLOCKED_URL", 1.0
            if not self._allowed.isdisjoint(above):
                return "MALICIOUS_URL", 0.0
        return self._worst(link, address)

    def _worst(self, link: Link, address: Address) -> tuple[str, float]:
        """What of the rules and the model speaks most against it; the model where nothing does more."""
        options = self.options
        worst = "MALICIOUS_URL", model.score(address) if options.use_model else 0.0
        if options.check_punycode and (is_mixed(address.host) or imitated(address.at)) and worst[1] < _LOOKALIKE:
            worst = "LOOKALIKE_URL", _LOOKALIKE
        if options.check_credentials and address.user:
            score = _HOST_BEFORE if "." in address.user.partition(":")[0] else _USER
            worst = ("CREDENTIALS_URL", score) if worst[1] < score else worst
        if link.place != "text" and options.check_exfiltration and not address.known and carries(address):
            score = _BY_IMAGE if link.place == "image" else _BY_CLICK
            worst = ("EXFILTRATION_URL", score) if worst[1] < score else worst
        return worst

    def _hangs_on_place(self, link: Link) -> bool:
        """Whether a link is harmful as an image and not as text."""
        if link.script or not self.options.check_exfiltration:
            return False
        address = parsed(link.text)
        if address is None or address.known or not carries(address):
            return False
        as_text, as_image = (self._judged(link._replace(place=place))[1] for place in ("text", "image"))
        return as_text < self._threshold <= as_image

    def _instead(self, one: Finding, found: str) -> str:
        if self.options.redact_mode == "remove":
            return self.options.replacement
        return _defanged(found)


def build(config: Mapping[str, Any]) -> Scanner:
    """A scanner with these options.

    Raises:
        ConfigurationError: an option is unknown or cannot be used.
    """
    return MaliciousUrls(read_options(Options, META.type, config))


def _defanged(link: str) -> str:
    scheme, mark, rest = link.partition("://")
    if not mark and ":" in link.partition("/")[0]:  # a script, or what is made harmless already
        return link if "[:]" in link else link.replace(":", "[:]", 1)
    if not mark:
        scheme, rest = "", link
    host, slash, path = rest.partition("/")
    written = scheme.lower().replace("tt", "xx") if scheme.lower().startswith("http") else scheme
    return f"{written}{mark}{host.replace('[.]', '.').replace('.', '[.]')}{slash}{path}"
