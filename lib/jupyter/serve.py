"""Runs JupyterLab ("lab") or a bare Jupyter server ("server") until its standard input closes.

The program that starts it holds the other end of that pipe, so that however that program ends,
the server and its kernels end too.
"""

import os
import signal
import sys
import threading


def stop_with_parent():
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=stop_with_parent, daemon=True).start()
    if sys.argv.pop(1) == "lab":
        from jupyterlab.labapp import main
    else:
        from jupyter_server.serverapp import main
    sys.exit(main())
