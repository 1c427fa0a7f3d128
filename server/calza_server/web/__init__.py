"""The pages people look at: plain HTML and SVG, no script. Computes nothing beyond where to draw."""
