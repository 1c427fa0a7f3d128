"""One module per outside library: each keeps one promise of `calza_server.ports` and imports no other adapter."""
