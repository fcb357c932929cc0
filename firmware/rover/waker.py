"""Sleep that can be cut short, for one task: over a millisecond less work than asyncio's Event under wait_for_ms()."""

from asyncio import core  # type: ignore[attr-defined]  # the stubs lack it


class Waker:
    """wake() ends the wait, or the next one if nobody waits now."""

    def __init__(self):
        self._task = None
        self._woken = False

    def wake(self):
        task = self._task
        if task is None:
            self._woken = True
            return
        self._task = None
        core._task_queue.remove(task)
        core._task_queue.push(task)

    def clear(self):
        """Forget a wake() that came before: what it was for is looked at now."""
        self._woken = False

    async def wait_ms(self, ms):
        """At most ms milliseconds (below 2^29); one task only."""
        if not self._woken:
            self._task = core.cur_task
            try:
                await core.sleep_ms(ms)
            finally:
                self._task = None
        self._woken = False
