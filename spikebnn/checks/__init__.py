"""The strangers: what checks a program shares no code with what made it."""
