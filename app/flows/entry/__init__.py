"""The longer steps of the flow `order_entry`, a file each; none is a flow of its own."""
