"""Rigorous bounds in float64: every interval that leaves this room is proved (docs: "What rigorous assumes")."""
