"""Live minutes while somebody looks: who watches which stocking, and which gateways are asked for it."""
