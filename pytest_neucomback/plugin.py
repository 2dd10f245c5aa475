"""pytest wiring."""
