"""Programs that measure or try things at length; pytest does not collect them."""
