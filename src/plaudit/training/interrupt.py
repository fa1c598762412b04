"""Ctrl-C: the first asks, the second stops at once."""

import signal
import threading
import time
from typing import Any

import torch

from plaudit.report.terminal import note

ECHO = 1.0  # seconds: a launcher passes on the signal that the terminal has sent to all its children already


class Interrupt:
    """While it is entered, Ctrl-C is remembered: the running step is finished and saved. A second one stops at once."""

    def __init__(self, accelerator: Any) -> None:
        self._accelerator, self._at = accelerator, 0.0
        self._before: Any = None

    def __enter__(self) -> "Interrupt":
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._ask)
        return self

    def _ask(self, *_: Any) -> None:
        several = self._accelerator.num_processes > 1
        if self._at and not (several and time.monotonic() - self._at < ECHO):
            raise KeyboardInterrupt
        if not self._at and self._accelerator.is_main_process:
            note("stopping after this step; a checkpoint is saved (Ctrl-C again stops at once)")
        self._at = self._at or time.monotonic()

    def asked(self) -> bool:
        """Whether any process was asked to stop; all processes get the same answer."""
        if self._accelerator.num_processes == 1:
            return bool(self._at)
        flag = torch.tensor([float(bool(self._at))], device=self._accelerator.device)
        return bool(self._accelerator.reduce(flag, "sum").item())

    def __exit__(self, *_: Any) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
