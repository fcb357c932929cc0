"""Makes the Board, runs the app."""
