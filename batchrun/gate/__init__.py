"""How many at once: the law (pure), the load, the slots. Nothing here knows what a slot is used for."""
