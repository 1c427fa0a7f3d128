"""What was ordered: phases, garments, presets, pauses and endings. Knows no readings."""
