"""What asyncio takes from _asyncio, on the chip's time: the built-in queue asks the computer's clock.

The order is the one that asyncio.core needs: by key, the earlier entry first among equals.
"""

import chiptime


class TaskQueue:
    def __init__(self):
        self._tasks = []

    def peek(self):
        return self._tasks[0] if self._tasks else None

    def push(self, task, key=None):
        task.data = None
        task.ph_key = key = chiptime.ticks_ms() if key is None else key
        tasks = self._tasks
        at = len(tasks)
        while at and chiptime.ticks_diff(tasks[at - 1].ph_key, key) > 0:
            at -= 1
        tasks.insert(at, task)

    def pop(self):
        return self._tasks.pop(0)

    def remove(self, task):
        self._tasks.remove(task)


class Task:
    """state: True while it runs and nobody waits for its end, a TaskQueue of those who do, None or False when it has ended."""

    def __init__(self, coro, context=None):
        self.coro = coro
        self.data = None  # an exception to be thrown in, or what it waits for
        self.state = True
        self.ph_key = 0
        self._context = context

    def __iter__(self):
        if not self.state:
            self.state = None  # an exception it ended with is seen by who waits
        elif self.state is True:
            self.state = TaskQueue()
        return self

    def __next__(self):
        if not self.state:
            raise self.data
        waiting = self._context["cur_task"]
        self.state.push(waiting)
        waiting.data = self

    def done(self):
        return not self.state

    def cancel(self):
        if not self.state:
            return False
        if self is self._context["cur_task"]:
            raise RuntimeError("can't cancel self")
        task = self
        while isinstance(task.data, Task):
            task = task.data
        queue = self._context["_task_queue"]
        if hasattr(task.data, "remove"):
            task.data.remove(task)
            queue.push(task)
        elif chiptime.ticks_diff(task.ph_key, chiptime.ticks_ms()) > 0:
            queue.remove(task)
            queue.push(task)
        task.data = self._context["CancelledError"]
        return True
