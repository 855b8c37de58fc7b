# SPDX-License-Identifier: MIT
"""Pages of docs whose commands are run: from an installed vaectl, in an empty folder."""
import contextlib
import os
import re
import shutil
import subprocess

from shared.program import MOST_SECONDS
from shared.tap import Skip, same

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")


def needs(*tools):
    for tool in tools:
        if not shutil.which(tool):
            raise Skip(f"no {tool}")


def shell(script, **env):
    """What the script says, on stdout and stderr together."""
    done = subprocess.run(["sh", "-e", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          stdin=subprocess.DEVNULL, timeout=MOST_SECONDS, env={**os.environ, **env})
    assert done.returncode == 0, f"{script}: exit status {done.returncode}\n{done.stdout}"
    return done.stdout


def blocks(name, language):
    """(text, what it says) of the blocks of docs/NAME in a language."""
    with open(f"{ROOT}/docs/{name}", encoding="utf-8") as file:
        return re.findall(rf"^```{language}\n(.*?)^```\n(?:```\n(.*?)^```\n)?", file.read(), re.S | re.M)


@contextlib.contextmanager
def installed():
    """Installs into ./prefix and goes into an empty folder; yields what the environment needs for that. Nothing is left
    of it in the end."""
    needs("cc", "make", "pkg-config")
    prefix = os.path.abspath("prefix")
    make = f"make -s -C {ROOT} PREFIX={prefix} BUILD={os.environ['VAE_BUILD']}"
    shell(f"{make} install")
    os.mkdir("empty")
    os.chdir("empty")
    yield {"PATH": f"{prefix}/bin:{os.environ['PATH']}", "PKG_CONFIG_PATH": f"{prefix}/lib/pkgconfig"}
    shell(f"{make} uninstall")
    same([name for _, _, names in os.walk(prefix) for name in names], [])
