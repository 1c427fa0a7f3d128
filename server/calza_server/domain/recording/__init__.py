"""What was recorded, on the true time line: readings, clocks, gaps, completeness. Knows no wear and no order."""
