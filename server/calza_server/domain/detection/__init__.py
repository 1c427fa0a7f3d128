"""From minutes to worn, not worn or unknown, judged against this leg and this garment themselves."""
