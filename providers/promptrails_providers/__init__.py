"""Providers shipped with promptrails-engine; found by entry point, loaded one by one."""
