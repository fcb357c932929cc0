"""What the HIL suite stands on: a unit with its ground station and line on one clock, evidence, the report."""
