"""The hand-over to Yamcs: its configuration, and the ports that it connects to. Yamcs runs as a process of its own."""
