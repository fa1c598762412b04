"""`python -m plaudit`, which `accelerate launch --module plaudit ...` needs."""

from plaudit.cli import main

if __name__ == "__main__":
    main()
