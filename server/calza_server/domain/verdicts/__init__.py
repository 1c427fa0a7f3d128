"""From ledger and order to an answer: bounds, explanation, versions, export. Knows no readings."""
