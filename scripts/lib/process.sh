# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154
# What scripts/servers and the file of each server share: messages, processes, ports, and what is named after a server.
# run, the run folder, is set.

clean_path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

say() { printf 'servers: %s\n' "$*" >&2; }
fail() { say "$@"; exit 1; }
live() { if [ -t 2 ]; then printf '\r\033[Kservers: %s' "$*" >&2; fi; }
live_end() { if [ -t 2 ]; then printf '\r\033[K' >&2; fi; }

# Every process of a server carries this variable, whatever process group or session it is in.
mark() { printf 'ACTION_TRIGGERS_SERVER=%s/%s' "$run" "$1"; }

pids_of() {
  local file
  while IFS= read -r -d '' file; do
    file=${file#/proc/}
    printf '%s\n' "${file%%/*}"
  done < <(grep -slzxF --null -e "$(mark "$1")" /proc/[0-9]*/environ 2>/dev/null)
}

alive() { # server, file with a process id (default: that of the main process)
  local pid
  pid=$(cat "$run/$1/${2:-pid}" 2>/dev/null) && [ -n "$pid" ] && grep -qszxF -e "$(mark "$1")" "/proc/$pid/environ"
}

# Kills all processes of a server, and waits until they are gone.
kill_all() {
  local pids tries
  for ((tries = 0; tries < 100; tries++)); do
    mapfile -t pids < <(pids_of "$1")
    if [ ${#pids[@]} = 0 ]; then return 0; fi
    kill -KILL "${pids[@]}" 2>/dev/null || true
    sleep 0.05
  done
  fail "these processes of $1 cannot be killed: ${pids[*]}"
}

# Lets a server shut down in order, within a limit.
shut_down() {
  local pid tries signal
  signal=stop_signal_${1%%-*}
  if alive "$1"; then
    pid=$(<"$run/$1/pid")
    kill "-${!signal:-TERM}" "$pid" 2>/dev/null || true
    for ((tries = 0; tries < 300; tries++)); do
      if ! alive "$1" spawned; then break; fi
      live "$1: stopping, $((tries / 10)) s"
      sleep 0.1
    done
    live_end
  fi
  kill_all "$1"
}

# What a server may open. The usual limit of a login, 1024, is too low: RabbitMQ 4 keeps files of every queue open. The
# hard limit itself can be a thousand million, and what reserves memory for each, as Erlang does, would not start.
open_files=65536

# Starts a command in the background with nothing of ours: its own session, no open files, a clean environment. Its
# process id is in the server's file "spawned".
spawn() { # server, output file, NAME=VALUE... command...
  local server=$1 output=$2
  shift 2
  (
    for fd in "/proc/$BASHPID/fd"/*; do
      fd=${fd##*/}
      if [ "$fd" -gt 2 ]; then eval "exec $fd>&-"; fi
    done
    cd "$run/$server" || exit
    ulimit -Sn $open_files 2>/dev/null || ulimit -Sn hard
    exec setsid env -i --default-signal=INT,QUIT "$(mark "$server")" PATH="$clean_path" LANG=C.UTF-8 \
      HOME="$run/$server" "$@" </dev/null >>"$output" 2>&1
  ) &
  disown
  echo $! >"$run/$server/spawned"
  until alive "$server" spawned || ! kill -0 $! 2>/dev/null; do sleep 0.01; done
}

used_ports=' '
load_used_ports() {
  local address
  while read -r _ address _; do
    if [[ $address == *:* ]]; then used_ports+="$((16#${address##*:})) "; fi
  done < <(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null)
}

free_port() { # variable to set
  local candidate
  while :; do
    candidate=$((20000 + RANDOM % 12000)) # below those that the kernel hands out
    if [[ $used_ports != *" $candidate "* ]]; then
      used_ports+="$candidate "
      printf -v "$1" %s "$candidate"
      return
    fi
  done
}

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# A script that runs a command with a server's environment.
write_wrapper() { # name, server, file of NAME=VALUE lines, command...
  local words
  mapfile -t words <"$3"
  words=("$(mark "$2")" PATH="$clean_path" LANG=C.UTF-8 HOME="$run/$2" "${words[@]}" "${@:4}")
  {
    printf '#!/bin/bash\nexec env -i \\\n'
    printf '  %q \\\n' "${words[@]}"
    printf '  "$@"\n'
  } >"$run/$1"
  chmod +x "$run/$1"
}

# What variables of a server begin with: rabbitmq-2 → AT_RABBITMQ_2
variable() {
  local name=${1^^}
  echo "AT_${name//-/_}"
}

# For a server that joins a cluster: its first node.
need() { if [ ! -e "$run/$1/ports" ]; then fail "its cluster's first node is not configured: start $1 too"; fi; }
