"""From the broker into the store: what is checked, what is kept, what gateways are answered, what is counted."""
