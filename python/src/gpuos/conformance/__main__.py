import sys

from gpuos.conformance.runner import main

sys.exit(main(sys.argv[1:]))
