"""One call with a limit for each line that comes in; its seconds go out."""

import functools
import multiprocessing
import sys
import time

context = multiprocessing.get_context("fork")


def timeout(seconds):
    """The decorator as it is commonly written: a process, a queue, and join with a limit."""

    def decorate(function):
        def work(queue, arguments):
            queue.put(function(*arguments))

        @functools.wraps(function)
        def limited(*arguments):
            queue = context.Queue()
            process = context.Process(target=work, args=(queue, arguments))
            process.start()
            process.join(seconds)
            if process.is_alive():
                process.terminate()
                process.join()
                raise TimeoutError(function.__name__)
            return queue.get()

        return limited

    return decorate


def double(number):
    return 2 * number


def calls(name):
    if name == "Python multiprocessing":
        return timeout(60)(double)
    import pebble

    if name == "Python pebble":
        concurrent = pebble.concurrent.process(timeout=60, context=context)(double)
        return lambda number: concurrent(number).result()
    pool = pebble.ProcessPool(max_workers=1, context=context)
    return lambda number: pool.schedule(double, args=[number], timeout=60).result()


call = calls(sys.argv[1])
assert call(21) == 42
print("ready", flush=True)
for _ in sys.stdin:
    start = time.perf_counter()
    call(21)
    print(time.perf_counter() - start, flush=True)
