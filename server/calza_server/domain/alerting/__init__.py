"""What somebody should look at in garment and recording, beside the verdict and never part of it."""
