"""Files people exchange with the server or work on without one: minutes, orders, presets, ledgers, exports."""
