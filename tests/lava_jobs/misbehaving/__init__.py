"""Processes that misbehave, alone in their folder, as Lava executes every file beside a Process."""
