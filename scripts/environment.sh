# Sourced by scripts/studio and scripts/test: makes an environment and installs what is missing.
# A run that finds everything in place costs a fraction of a second.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv="$root/.venv"                      # the environment, made when it is missing
interpreter=                            # Python that makes it; empty: the first that is new enough
constraints="$root/constraints.txt"     # versions that pip may install

say() { printf '%s\n' "$*" >&2; }

# system_packages NAME...: install those Debian packages that are missing, as root or through a
# password-less sudo; otherwise name them and return 1. Other systems bring these libraries along.
system_packages() {
  command -v dpkg-query >/dev/null || return 0
  local name missing=() apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq)
  for name in "$@"; do
    dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q '^install ok' || missing+=("$name")
  done
  ((${#missing[@]})) || return 0
  if ((EUID != 0)); then
    if ! sudo -n true 2>/dev/null; then
      say "Missing system packages; install them with: sudo apt-get install ${missing[*]}"
      return 1
    fi
    apt=(sudo -n "${apt[@]}")
  fi
  say "Installing system packages: ${missing[*]}"
  # The package lists of a fresh machine may be absent or stale; refresh them only then.
  local install=("${apt[@]}" install -y --no-install-recommends "${missing[@]}")
  if ! "${install[@]}" >/dev/null 2>&1 && ! { "${apt[@]}" update && "${install[@]}"; } >&2; then
    say "These system packages could not be installed: ${missing[*]}"
    return 1
  fi
}

# Print the interpreter that was chosen, or the first Python of version 3.11 or newer.
find_python() {
  local candidate candidates=(python3 python3.14 python3.13 python3.12 python3.11)
  [[ -z "$interpreter" ]] || candidates=("$interpreter")
  for candidate in "${candidates[@]}"; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      printf '%s' "$candidate"
      return 0
    fi
  done
  return 1
}

make_venv() {
  local python
  python=$(find_python) || {
    system_packages python3 python3-venv || true
    python=$(find_python) || { say "StyleSDF Studio needs Python 3.11 or newer."; return 1; }
  }
  # Debian's Python cannot make environments until its -venv package is there.
  "$python" -c 'import ensurepip' 2>/dev/null ||
    system_packages "$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')" ||
    return 1
  "$python" -m venv "$venv"
}

# packages_stamp: the hash of all that decides what is installed.
packages_stamp() {
  { printf '%s\n' "$root"; cat "$root/pyproject.toml" "$constraints"; } | cksum
}

# packages_in_place EXTRA...: whether a stamp per extra says that the packages are installed.
packages_in_place() {
  local extra stamp
  stamp=$(packages_stamp)
  for extra in "$@"; do
    [[ "$(cat "$venv/.stylesdf/$extra" 2>/dev/null)" == "$stamp" ]] || return 1
  done
  "$venv/bin/python" -c '' 2>/dev/null
}

# python_packages EXTRA...: this project, editable, with these extras, into the environment. Of two
# starts at once, such as a window and a command, one installs and the other waits.
python_packages() {
  packages_in_place "$@" && return 0
  (
    if command -v flock >/dev/null; then flock 9; fi
    packages_in_place "$@" || install_packages "$@"
  ) 9>"$venv.lock"
}

install_packages() {
  "$venv/bin/python" -m pip --version >/dev/null 2>&1 || make_venv || return 1
  say "Installing Python packages into $venv (the first time takes some minutes)"
  local pip=("$venv/bin/python" -m pip --disable-pip-version-check --quiet install)
  if [[ "$(uname -s)" == Linux ]] && ! command -v nvidia-smi >/dev/null; then
    # Without an NVIDIA driver the default build of torch is gigabytes of CUDA for nothing.
    "${pip[@]}" --retries 1 --timeout 10 -c "$constraints" torch \
      --index-url https://download.pytorch.org/whl/cpu 2>/dev/null || true
  fi
  local extra stamp IFS=,
  stamp=$(packages_stamp)
  "${pip[@]}" -c "$constraints" -e "${root}[$*]" || return 1
  mkdir -p "$venv/.stylesdf"
  for extra in "$@"; do printf '%s' "$stamp" >"$venv/.stylesdf/$extra"; done
}
