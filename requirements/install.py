#!/usr/bin/env python3
"""Install a hash-pinned requirements file into the virtual environment this runs in: `python install.py local.txt`.

uv does in seconds what takes pip minutes, but knows nothing of this machine's pip configuration (index, certificates,
proxies' hosts). So pip is asked for it and uv is told; and where uv cannot work at all, pip does.
"""

import os
import subprocess
import sys
from ast import literal_eval
from pathlib import Path

# pip's option, and uv's environment variable for the same.
OPTIONS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "no-index": "UV_NO_INDEX",
    "cert": "SSL_CERT_FILE",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "proxy": "ALL_PROXY",
}


def from_pip() -> dict[str, str]:
    """Environment variables for uv, from what pip is configured to use; those already set are left alone."""
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    found = {}
    for line in listing.splitlines():
        key, _, value = line.partition("=")
        option = key.rpartition(".")[2].replace("_", "-")
        variable = OPTIONS.get(option)
        if variable is None or variable in os.environ:
            continue
        text = " ".join(str(literal_eval(value)).split())
        if option == "find-links":
            text = ",".join(text.split())
        if text:
            found[variable] = text
    return found


def main() -> int:
    """Install; the exit code is that of the program that did it."""
    requirements = str(Path(sys.argv[1]))
    options = ["--require-hashes", "--only-binary", ":all:", "--requirement", requirements]
    uv = Path(sys.executable).parent / "uv"
    done = subprocess.run(
        [str(uv), "pip", "install", "--quiet", "--python", sys.executable, *options],
        env={**os.environ, **from_pip()},
        check=False,
    )
    if done.returncode == 0:
        return 0
    sys.stderr.write("uv could not install; pip takes over, which takes some minutes.\n")
    return subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *options], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
