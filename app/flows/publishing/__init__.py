"""Steps that the flows of the catalogue share: what a channel's map and the marketplace's own words make of a SKU."""
