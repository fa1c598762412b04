"""The settings of the full LoRA runs, chosen as `full_runs_settings.py` chooses the others, with its options.

PLAUDIT_DATA=... python benchmarks/full_runs_settings_lora.py [--dtype bfloat16]
"""

from full_runs_settings import main

if __name__ == "__main__":
    main("lora")
