"""The state that tools keep: of the session, or of the run where there is no session."""

from __future__ import annotations

from typing import Any

from promptrails_engine.ports.store import Store


class RunState:
    """`State` of the tool port over the engine's store."""

    __slots__ = ("_scope", "_store", "_workspace_id")

    def __init__(self, store: Store, workspace_id: str, scope: str) -> None:
        self._store = store
        self._workspace_id = workspace_id
        self._scope = scope

    async def get(self, key: str) -> Any:
        return await self._store.state_get(self._workspace_id, self._scope, key)

    async def set(self, key: str, value: Any) -> None:
        await self._store.state_set(self._workspace_id, self._scope, key, value)

    async def delete(self, key: str) -> bool:
        return await self._store.state_delete(self._workspace_id, self._scope, key)

    async def list(self) -> dict[str, Any]:
        return await self._store.state_list(self._workspace_id, self._scope)
