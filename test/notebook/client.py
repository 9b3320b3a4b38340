"""Runs a notebook through Jupyter's own client (nbclient), going on after cells that fail, and prints what became of each cell as JSON.

A cell whose metadata names a file and a number of lines as "interrupt" is interrupted once the file has as many, one that names seconds
after that time from its begin. A file named as "seen" gets a line for each text that arrives. With SECONDS_PER_MESSAGE set, this client takes so long over each message, as busy ones do.
"""

import asyncio
import collections
import json
import os
import sys
import time

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

# These end what hangs, on a busy machine too.
SECONDS_PER_CELL = 600
SECONDS_TO_START = 600
# For so long after a failed cell the kernel cancels what was queued behind it.
SECONDS_OF_CANCELLING = 0.3
SECONDS_PER_MESSAGE = float(os.environ.get("SECONDS_PER_MESSAGE", "0"))


class CountingClient(NotebookClient):
    """Counts the kernel's messages by type: of a display that is updated in place only the last state is stored."""

    messages = collections.Counter()

    def process_message(self, msg, cell, cell_index):
        time.sleep(SECONDS_PER_MESSAGE)
        self.messages[msg["msg_type"]] += 1
        if msg["msg_type"] == "stream" and "seen" in cell.metadata:
            with open(cell.metadata["seen"], "a") as seen:
                seen.write("\n")
        return super().process_message(msg, cell, cell_index)


async def interrupt_at(client, file=None, lines=0, seconds=0):
    while file and (not os.path.exists(file) or open(file, "rb").read().count(b"\n") < lines):
        await asyncio.sleep(0.02)
    await asyncio.sleep(seconds)
    await client.km.interrupt_kernel()


async def ran(client, cell, index):
    client.messages.clear()
    started = time.monotonic()
    interrupt = cell.metadata.get("interrupt")
    waiting = asyncio.create_task(interrupt_at(client, **interrupt)) if interrupt else None
    try:
        await client.async_execute_cell(cell, index)
    except CellExecutionError:
        await asyncio.sleep(SECONDS_OF_CANCELLING)
    finally:
        if waiting:
            waiting.cancel()
    seconds = time.monotonic() - started
    return {"count": cell.execution_count, "outputs": cell.outputs, "messages": dict(client.messages), "seconds": seconds}


async def main(path):
    notebook = nbformat.read(path, as_version=4)
    folder = {"metadata": {"path": os.path.dirname(path)}}
    limits = {"timeout": SECONDS_PER_CELL, "startup_timeout": SECONDS_TO_START}
    client = CountingClient(notebook, **limits, kernel_name="tslab", resources=folder)
    async with client.async_setup_kernel():
        cells = [
            await ran(client, cell, index)
            for index, cell in enumerate(notebook.cells)
            if cell.cell_type == "code"
        ]
        is_alive = await client.km.is_alive()
    json.dump({"cells": cells, "isAlive": is_alive}, sys.stdout)


asyncio.run(main(os.path.abspath(sys.argv[1])))
