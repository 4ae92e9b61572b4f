"""`python -m bas`."""

from bas.cli import main

main()
