# SPDX-License-Identifier: MIT
# Not under asan, tsan: the page is of a library that is linked with nothing else.
"""The program of docs/library.md, built as the page says against an installed library. Prints TAP."""
import re
import sys

from shared.page import blocks, installed, shell
from shared.tap import run, same, test


def without_figures(text):
    """Figures depend on processor and libraries."""
    return re.sub(r" *-?\d+\.\d+", " #", text)


@test("docs/library.md: its program trains, encodes and evaluates, built against an installed library")
def _():
    (program, _), = blocks("library.md", "c")
    assert len(program.splitlines()) <= 50
    with installed() as env:
        with open("embed.c", "w", encoding="utf-8") as file:
            file.write(program)
        shell("cc -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Werror -c embed.c $(pkg-config --cflags vae)", **env)
        steps = blocks("library.md", "sh")
        same(len(steps), 3)
        for commands, said in steps:
            got = shell(commands, **env)
            same(without_figures(got), without_figures(said), commands)


sys.exit(run())
