"""The Zhurong mission, executable and asserted: real firmware on an emulated Pico, a ray-traced Mars, the ground station."""
