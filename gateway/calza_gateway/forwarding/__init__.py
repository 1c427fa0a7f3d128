"""From the outbox to the server and back: publish, wait for receipts, empty; and what a page asks for live."""
