"""Scoring speed of an encoder, which has no prompt to share: `score_speed` with minilm-l6.

PLAUDIT_DATA=... python benchmarks/score_speed_encoder.py [--pairs 96] [--repeats 3]
"""

import sys

from score_speed import main

if __name__ == "__main__":
    sys.argv[1:1] = ["--model", "minilm-l6", "--name", "score_speed_encoder"]
    main()
