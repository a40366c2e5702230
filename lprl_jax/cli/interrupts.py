"""Ctrl-C, at any moment: while modules are imported, programs compiled, or on the way out.

Python raises KeyboardInterrupt wherever it stands, which is not always where it can be raised. A
C++ extension that is being initialised aborts the process, or says that it cannot be imported; a
callback of the garbage collector prints a traceback, and the program goes on.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any, NoReturn

INTERRUPTED = 130
"""Exit status, as of a program that SIGINT ends: 128 + 2."""
AGAIN = 0.05
"""Seconds until an interrupt that got lost is sent again."""


class Watch:
    """Listens for Ctrl-C until the program ends."""

    interrupted = False
    """Whether there was one."""

    def __init__(self) -> None:
        self._loading = True
        # A program that was started so as not to be interrupted (by `nohup`, say) goes on.
        self._listens = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._listens:
            signal.signal(signal.SIGINT, self._interrupt)
            sys.unraisablehook = self._send_again

    def loaded(self) -> None:
        """From now on there may be something to tidy up, and hardly an extension is initialised."""
        self._loading = False

    def end(self) -> None:
        """Let the next Ctrl-C end the program without a word: that of the first is being said."""
        if self._listens:
            signal.signal(signal.SIGINT, signal.SIG_DFL)

    def leave(self) -> NoReturn:
        """End the program, once all that was open is closed.

        What JAX is still computing in its own threads would be waited for, and may then crash.
        """
        os._exit(INTERRUPTED)

    def _interrupt(self, number: int, frame: Any) -> None:
        self.interrupted = True
        if self._loading:
            os.write(2, b"lprl: interrupted\n")
            self.leave()
        signal.default_int_handler(number, frame)

    def _send_again(self, lost: sys.UnraisableHookArgs) -> None:
        if issubclass(lost.exc_type, KeyboardInterrupt):
            threading.Timer(AGAIN, os.kill, (os.getpid(), signal.SIGINT)).start()
        else:
            sys.__unraisablehook__(lost)
