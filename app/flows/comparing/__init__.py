"""What the flow `parity` compares: each module says how one group of kinds may differ, and how that is known."""
