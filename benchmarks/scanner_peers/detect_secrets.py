"""detect-secrets, line by line: without the plugins that go by entropy alone, or with all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from detect_secrets.core import scan
from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.settings import default_settings, get_settings


def load(kind: str, variant: str) -> Callable[[str, Mapping[str, Any]], list[str]]:
    with default_settings():
        names = [plugin.__name__ for plugin in get_mapping_from_secret_type_to_class().values()]
    plugins = [{"name": name} for name in names if variant == "all plugins" or "HighEntropy" not in name]
    get_settings().configure_plugins(plugins)

    def find(text: str, options: Mapping[str, Any]) -> list[str]:
        return [one.type for line in text.splitlines() for one in scan.scan_line(line)]

    return find
