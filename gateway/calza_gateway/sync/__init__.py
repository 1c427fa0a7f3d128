"""One sync of one stocking: what to fetch, the script that asks for it, and the runner that plays it over a link."""
