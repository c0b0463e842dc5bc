"""What models there are, where they come from, and fetching them."""
