"""One file per engine behind the Engine port."""
