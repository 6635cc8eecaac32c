"""Commands of the research side, one a module; `cli` registers them."""
