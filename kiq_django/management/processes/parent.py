"""The parent. It runs no jobs, has no threads and no connections, so that it is always there to act."""

import contextlib
import logging
import os
import select
import signal
from typing import Any

from kiq_django import clock
from kiq_django import store as stores
from kiq_django.management.processes import trial
from kiq_django.management.processes.child import Child
from kiq_django.management.processes.face import Face
from kiq_django.management.processes.places import Place, Places
from kiq_django.management.processes.plan import Plan
from kiq_django.management.processes.starts import Fork, Spawn, choose, why_not_fork
from kiq_django.worker import recovery
from kiq_django.worker.os_signals import DUMP, QUIET, RETIRE, STOP, SignalPipe
from kiq_django.worker.status import QUIET as IS_QUIET
from kiq_django.worker.status import STOPPING, WORKING, Report

logger = logging.getLogger("kiq_django.worker")
TICK = 0.2
"""Seconds between two looks at what does not wake us."""
MERCY = 3.5
"""Seconds beyond the shutdown timeout before a child is killed."""
LAST_ERRANDS = 2.0
"""Seconds in which the jobs of killed children are given back before we end."""
BAD_CONFIGURATION = 2


class Parent:
    """Starts children, replaces those that die, passes signals on, answers for all, and ends when all have."""

    def __init__(self, plan: Plan, pipe: SignalPipe) -> None:
        """Take the address for probes, and over what a former life has left.

        Raises:
            ConfigurationError: the address cannot be had, or children cannot be started as asked for.
        """
        self._plan = plan
        self._pipe = pipe
        left = trial.Inheritance()
        self._places = Places(plan.number, left.children)
        self._retired = len(left.children) == 0
        """Those of a former life have been told to go."""
        self._face = Face(plan.config, left.listening, self._report)
        self._state = WORKING
        self._proven = bool(left.children)
        """Some child has taken jobs: what one says about the configuration is not about that of all."""
        self._errands: list[int] = []
        self._trial: trial.Trial | None = None
        self._home = trial.home()
        self._starts = choose(plan.preload, plan.work, self._forget, trial.command())

    def run(self) -> int:
        """Until a signal says stop, or everything is drained. Returns 0, or what a child said that cannot work as
        configured.
        """
        while self._plan.keep_going():
            if code := self._look_after():
                self._stop("TERM")
                return code
            if self._plan.config.drain and self._places.are_closed:
                return self._stop("TERM")
            for name in self._listen(TICK):
                if name in STOP:
                    return self._stop(name)
                self._obey(name)
        return self._stop("TERM")

    # -- children ---------------------------------------------------------------------------------

    def _look_after(self) -> int:
        """Bury, start, replace, retire. Returns the exit code of a child that says that none can work, else 0."""
        if not self._plan.config.drain:
            self._places.replace_leaving()
        for place in self._places.places:
            if place.child is not None and (code := place.child.end()) is not None:
                if code == BAD_CONFIGURATION and not self._proven:
                    place.child = None
                    return code
                self._mourn(place, place.child, code)
            if place.is_due and self._state == WORKING:
                self._start(place)
        self._places.leaving = [child for child in self._places.leaving if not self._has_left(child)]
        self._proven = self._proven or any(child.is_ready for child in self._places.working)
        if not self._retired and self._places.are_ready:
            self._retire_former()
        self._errands = [pid for pid in self._errands if not _is_over(pid)]
        self._look_at_trial()
        self._face.tell()
        return 0

    def _start(self, place: Place) -> None:
        try:
            place.child = self._safe_start().child()
        except OSError as error:
            logger.warning("No worker process could be started: %s; tried again in %.2f s", error, place.mourn())
        else:
            logger.info("Started worker process %d", place.child.pid)

    def _safe_start(self) -> Fork | Spawn:
        """A library may have started a thread in this process meanwhile: then there is no more forking."""
        if isinstance(self._starts, Fork) and (reason := why_not_fork()):
            logger.warning("Children load the project each for itself from now on: %s", reason)
            self._starts = Spawn(trial.command())
        return self._starts

    def _mourn(self, place: Place, child: Child, code: int) -> None:
        place.closed = code == 0 and self._plan.config.drain
        pause = place.mourn()
        if code == 0:
            logger.info("Worker process %d has ended", child.pid)
            place.deaths, place.again_at = 0, clock.monotonic()
            return
        logger.error("Worker process %d ended with %d; another one starts in %.2f s", child.pid, code, pause)
        self._give_back(child)

    def _has_left(self, child: Child) -> bool:
        code = child.end()
        if code:
            logger.error("Worker process %d, on its way out, ended with %d", child.pid, code)
            self._give_back(child)
        return code is not None

    def _give_back(self, child: Child) -> None:
        """Its jobs go back to their queues at once: nobody needs to wait for its lease to end."""
        identity, lease = child.identity, self._plan.config.lease
        if not identity:
            return
        try:
            pid = self._safe_start().aside(lambda: recovery.recover(stores.get(), identity, lease))
        except OSError as error:
            logger.warning("The jobs of %s come back when its lease ends: %s", identity, error)
        else:
            self._errands += [pid] if pid else []

    def _retire_former(self) -> None:
        """New children take jobs: those of the former code finish theirs and go."""
        self._retired = True
        for child in self._places.leaving:
            child.send("USR2")
        logger.info("%d processes with new code take jobs; those before them end with their jobs", self._plan.number)

    def _forget(self) -> None:
        """In a child: what is the parent's alone."""
        self._pipe.close()
        for child in self._places.all:
            child.close()
        self._face.forget()

    # -- signals ----------------------------------------------------------------------------------

    def _obey(self, name: str) -> None:
        if name in RETIRE:
            self._begin_trial()
        if name in QUIET:
            logger.info("%s: quiet; no new jobs are taken", name)
            self._state = IS_QUIET
        if name in QUIET | DUMP:
            self._forward(name)

    def _forward(self, name: str) -> None:
        for child in self._places.all:
            child.send(name)

    def _listen(self, seconds: float) -> list[str]:
        """Until a signal comes, a child speaks or ends, or somebody asks how we are; `seconds` at most."""
        pipes = {child.pipe: child for child in self._places.all if not child.is_mute}
        waited_for: list[Any] = [self._pipe, *pipes, *self._face.waited_for]
        readable = select.select(waited_for, [], [], seconds)[0]
        for each in readable:
            if isinstance(each, int):
                pipes[each].hear()
        self._face.answer()
        return self._pipe.wait(0)

    def _stop(self, name: str) -> int:
        self._state = STOPPING
        if self._trial:
            self._trial.kill()
        self._forward(name)
        self._face.tell(at_once=True)
        deadline = clock.monotonic() + self._plan.config.shutdown_timeout + MERCY
        while self._wait_for_children() and clock.monotonic() < deadline:
            self._face.tell()
            for again in self._listen(0.05):
                self._forward(again)
        for child in self._wait_for_children():
            logger.error("Worker process %d did not end in time and is killed", child.pid)
            child.send("KILL")
            self._give_back(child)
        self._end_errands()
        self._face.tell(at_once=True)
        return 0

    def _wait_for_children(self) -> list[Child]:
        """Those that still live."""
        living: list[Child] = []
        for child in self._places.all:
            code = child.end()
            if code is None:
                living.append(child)
            elif code:
                self._give_back(child)
        self._places.places, self._places.leaving = [], living
        return living

    def _end_errands(self) -> None:
        deadline = clock.monotonic() + LAST_ERRANDS
        while self._errands and clock.monotonic() < deadline:
            self._pipe.wait(0.02)
            self._errands = [pid for pid in self._errands if not _is_over(pid)]
        for pid in self._errands:
            os.kill(pid, signal.SIGKILL)

    # -- new code ---------------------------------------------------------------------------------

    def _begin_trial(self) -> None:
        if self._plan.reloads:
            logger.info("USR2: new code is loaded as soon as it changes")
            return
        if self._trial or not self._retired:
            logger.warning("USR2: new code is being loaded already")
            return
        logger.info("USR2: trying whether the code in %s starts", self._home)
        self._trial = trial.Trial(self._home)

    def _look_at_trial(self) -> None:
        if self._trial is None or (code := self._trial.end()) is None:
            return
        if code == 0 and self._errands:
            self._trial = trial.Trial(self._home)  # the jobs of a dead child come first
            return
        self._trial = None
        if code != 0:
            logger.error("The new code does not start (exit code %d): the former goes on", code)
            self._go_on()
            return
        logger.info("The new code starts: it takes over")
        self._face.systemd.reloading()
        with contextlib.suppress(OSError):
            trial.begin_anew(self._home, self._places.all, self._face.listening)
        trial.hear_again()
        logger.error("This process could not be begun anew: the former code goes on")

    def _go_on(self) -> None:
        """Whoever was told to be quiet for the new code makes room for children that take jobs."""
        if self._state == IS_QUIET:
            self._state = WORKING
            self._places.dismiss()

    # -- how we are -------------------------------------------------------------------------------

    def _report(self) -> Report:
        places, stalled = self._places, self._places.trouble()
        idle = self._why_not_ready() if self._state == WORKING else {"all": self._state}
        return Report(
            tag=self._plan.config.tag,
            state=self._state,
            statuses=[child.status for child in places.all if child.status],
            places=self._plan.number,
            stalled=stalled,
            idle={**idle, **stalled},
        )

    def _why_not_ready(self) -> dict[str, str]:
        """While new children start, the former ones take the jobs."""
        former_work = not self._retired and all(child.is_ready for child in self._places.leaving)
        return {} if former_work else self._places.why_not_ready()


def _is_over(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True
