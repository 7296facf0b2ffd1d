"""Lava executes every file beside a Process while it looks for ProcessModels, so nothing else stands here."""
