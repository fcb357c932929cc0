"""Boards behind one interface: the emulated Pico, a real board."""
