"""A user's own hierarchical Process, alone in its folder."""
