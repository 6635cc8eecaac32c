# Sourced by the other scripts: a virtual environment in .venv with the pinned packages, kept up to
# date with the lock files, and the kernels compiled. Quick when nothing changed.
#   source scripts/setup.sh daemon|backtest|learn|dev     each with what the ones before it need
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=${ASMM_VENV:-$root/.venv}
locks=(requirements.lock)
[ "$1" = dev ] && locks+=(requirements-dev.lock)
case "$1" in learn | dev) locks+=(requirements-learn.lock) ;; esac

if [ ! -x "$venv/bin/python" ]; then
    for python in python3.11 python3.12 python3.13 python3; do
        command -v "$python" >/dev/null && "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' && break
        python=
    done
    [ -n "$python" ] || { echo "asmm needs Python 3.11, 3.12 or 3.13; none was found" >&2; exit 1; }
    echo "setting up $venv ..." >&2
    "$python" -m venv "$venv" || { echo "python3-venv is missing: apt-get install python3-venv" >&2; exit 1; }
fi
for lock in "${locks[@]}"; do
    want=$(sha256sum < "$root/$lock")
    if [ "$(cat "$venv/.$lock" 2>/dev/null)" != "$want" ]; then
        echo "installing the packages of $lock ..." >&2
        hashes=--require-hashes
        [ "$lock" = requirements-learn.lock ] && hashes=  # PyTorch's builds for one version have many hashes
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check $hashes -r "$root/$lock" || exit 1
        echo "$want" > "$venv/.$lock"
    fi
done
if [ ! -e "$venv/bin/asmm" ]; then
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --editable "$root" || exit 1
fi
want=$(find "$root/asmm_daemon" -name "*.py" -print0 | sort -z | xargs -0 cat | sha256sum)
if [ "$(cat "$venv/.kernels" 2>/dev/null)" != "$want" ]; then
    echo "compiling the kernels, once a version: a minute or two ..." >&2
    "$venv/bin/python" -m asmm_daemon.warm exchange &
    "$venv/bin/python" -m asmm_daemon.warm engine && wait $! || exit 1
    echo "$want" > "$venv/.kernels"
fi
if [ "$1" != daemon ] && [ "$(cat "$venv/.kernels-backtest" 2>/dev/null)" != "$want" ]; then
    echo "compiling the kernels of the backtest, once a version: a minute or two ..." >&2
    "$venv/bin/python" -m asmm_daemon.learn.warm || exit 1
    echo "$want" > "$venv/.kernels-backtest"
fi
