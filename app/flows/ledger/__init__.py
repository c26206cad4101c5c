"""Longer steps of the flow `settlement`: the transaction log, and its back-fill from an export."""
