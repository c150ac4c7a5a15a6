"""Agents that append to a ledger, and an engine that dies where it is told to.

A point is a place at which a process may die: before and after each write of the store, each call of a model, and each
effect.  `Dice` counts them, and kills the process with SIGKILL at the one that was asked for.
"""

from __future__ import annotations
