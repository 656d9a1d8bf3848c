"""One thin panel for each stage of the loop."""
