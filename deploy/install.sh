#!/bin/sh
# Installs Oriole from this folder, without the Internet: install.sh [TARGET, default /opt/oriole].
# Needs Python of the version in the bundle's name, with its venv module.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
target=${1:-/opt/oriole}
python=${PYTHON:-python3}
cd "$here"
sha256sum --quiet --check SHA256SUMS || { echo "a file of the bundle is damaged" >&2; exit 1; }
"$python" -m venv "$target"
"$target/bin/python" -m pip install --disable-pip-version-check -q --no-index \
  --find-links wheels --require-hashes -r requirements.txt
"$target/bin/python" -m compileall -q "$target"/lib/python*/site-packages/detector \
  "$target"/lib/python*/site-packages/replay
"$target/bin/python" -c 'from detector.quick import warm; warm()'
if [ ! -e "$target/district" ]; then cp -R district "$target/district"; fi
cp -R systemd "$target/"
"$target/bin/oriole" rules lock --check
echo "installed under $target; next: $target/systemd/README"
