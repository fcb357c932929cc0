"""python -m rovercam.cli"""

from rovercam.cli import main

main()
