#!/bin/bash
# SPDX-License-Identifier: MIT
# python_client.sh PROGRAM.py ARGUMENT...: runs it with the packages of requirements.txt, which it installs first if they
# are not there (scripts/setup python-clients). Of what the program prints, standard output is its own alone.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$here/../..
"$root/scripts/setup" python-clients >&2
exec "$("$root/scripts/setup" --where python-clients)/bin/python" "$here/$1" "${@:2}"
