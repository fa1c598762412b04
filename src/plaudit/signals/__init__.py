"""What votes say about preferences: strength, chance of disagreement, noise; and what to do about it. Numbers only."""
