"""Who may speak to whom: credentials at the broker, and where the certificates lie that `ca` makes."""
