"""One run, from plan to record.  What only a failing call, a graph or a webhook needs is loaded when there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptrails_engine.lazy import lazy_names

if TYPE_CHECKING:
    from promptrails_engine.run.retry import attempt_again as attempt_again
    from promptrails_engine.run.topology import topological_order as topological_order
    from promptrails_engine.run.webhook_post import post as post

_HOMES = {"attempt_again": "retry", "post": "webhook_post", "topological_order": "topology"}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
