"""`python -m upspace`: the same as the command `upspace`."""

from upspace.cli import main

if __name__ == "__main__":
    main()
