"""`june-tts serve` with another program in place of Python where it starts the engine's process.

`python -m tests.faults.shimmed PROGRAM`: what is served is the whole of june-tts but for the model.
"""

import sys

from june_tts.cli.main import main

if __name__ == "__main__":
    sys.executable = sys.argv[1]
    sys.argv[1:] = ["serve"]
    main()
