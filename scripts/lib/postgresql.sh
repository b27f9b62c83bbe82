# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
# PostgreSQL, the newest that Debian's packages have installed here: a cluster of its own, which keeps its promises (it
# waits for the disk), and a replica that streams from it. scripts/servers says what each part is for.

title_postgresql=PostgreSQL
servers_postgresql=(postgresql postgresql-2)
stop_signal_postgresql=INT # ends sessions; TERM would wait for them
help_postgresql='PostgreSQL (user postgres, password right, database postgres):
  postgresql                one server
  postgresql-2              a streaming replica of it, which reads only until it is promoted
  AT_POSTGRESQL_CONNINFO (a URI)  AT_POSTGRESQL_PORT  AT_POSTGRESQL_PID'

postgresql_bin() { printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1; }

# Neither PostgreSQL nor PgBouncer runs as root: then as the user that Debian makes for both.
unprivileged=()
if [ "$(id -u)" = 0 ]; then unprivileged=(setpriv --reuid=postgres --regid=postgres --clear-groups); fi

check_postgresql() {
  if [ ! -x "$(postgresql_bin)/initdb" ]; then fail "PostgreSQL is not installed: run scripts/setup postgresql"; fi
}

# Makes the folder $run/SERVER/data for that user: elsewhere, if $run is where only root may look.
unprivileged_folder() { # server
  local dir=$run/$1 elsewhere
  mkdir -p "$dir/data"
  if [ ${#unprivileged[@]} != 0 ] && ! "${unprivileged[@]}" test -x "$dir/data"; then
    rmdir "$dir/data"
    elsewhere=$(mktemp -d "/tmp/action-triggers-$1.XXXXXX")
    echo "$elsewhere" >"$dir/elsewhere"
    ln -s "$elsewhere" "$dir/data"
  fi
  if [ ${#unprivileged[@]} != 0 ]; then chown postgres: "$dir/data/."; fi
  chmod 700 "$dir/data/."
}

configure_postgresql() { # server
  local dir=$run/$1 port folder first
  if [ -e "$dir/ports" ]; then return 0; fi
  if [ "$1" != postgresql ]; then
    need postgresql
    # shellcheck disable=SC1091
    source "$run/postgresql/ports"
    first=$port
  fi
  free_port port
  unprivileged_folder "$1"
  folder=$(realpath "$dir/data")
  if [ "$1" = postgresql ]; then
    new_postgresql "$folder" "$dir/initdb.log"
  else
    copy_of_postgresql "$folder" "$first" "$dir/basebackup.log"
  fi
  "${unprivileged[@]}" tee -a "$folder/cluster/postgresql.conf" >/dev/null <<TEXT
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = ''
max_connections = 100
log_line_prefix = '%m [%p] %u '
TEXT
  printf 'port=%s\n' "$port" >"$dir/ports"
}

new_postgresql() { # folder, log
  echo right >"$1/password"
  # In a folder that this user can be in, and without waiting for the disk this once.
  (cd "$1" && "${unprivileged[@]}" "$(postgresql_bin)/initdb" -D "$1/cluster" -U postgres -A scram-sha-256 \
    --pwfile="$1/password" --encoding=UTF8 --locale=C.UTF-8 --no-sync) >"$2" 2>&1 || {
    cat "$2" >&2
    fail "initdb failed"
  }
}

# Needs the first server to run. What it is told to be like by ALTER SYSTEM is copied as well.
copy_of_postgresql() { # folder, port of the first server, log
  (cd "$1" && "${unprivileged[@]}" "$(postgresql_bin)/pg_basebackup" -D "$1/cluster" --write-recovery-conf \
    --checkpoint=fast --no-sync -d "host=127.0.0.1 port=$2 user=postgres password=right") >"$3" 2>&1 || {
    cat "$3" >&2
    fail "pg_basebackup failed"
  }
}

launch_postgresql() { # server
  local dir=$run/$1 folder
  folder=$(realpath "$dir/data")
  rm -f "$dir/pid" "$dir/output"
  postgresql_has_ended "$folder/cluster"
  # shellcheck disable=SC2016
  spawn "$1" "$dir/output" bash -c 'echo $$ >pid && cd "$1" && shift && exec "$@"' postgresql \
    "$folder" "${unprivileged[@]}" "$(postgresql_bin)/postgres" -D "$folder/cluster"
}

# The processes of a server that was killed end by themselves, soon; they do not carry our mark, since they overwrite
# their environment. Until then the next one would not start.
postgresql_has_ended() { # folder
  local lines tries attached
  mapfile -t lines < <(cat "$1/postmaster.pid" 2>/dev/null) # its id, …, on the seventh line the key and id of its memory
  for ((tries = 0; tries < 400 && ${#lines[@]} > 6; tries++)); do
    attached=$(awk -v id="${lines[6]##* }" '$2 == id { print $7 }' /proc/sysvipc/shm)
    if [ "${attached:-0}" = 0 ] && ! grep -qsE '^State:.[^Z]' "/proc/${lines[0]}/status"; then
      rm -f "$1/postmaster.pid" # a zombie has an id, too, and stays where process 1 does not care for orphans
      return 0
    fi
    sleep 0.05
  done
}

ready_postgresql() { # server
  local port
  # shellcheck disable=SC1090
  source "$run/$1/ports"
  alive "$1" && "$(postgresql_bin)/pg_isready" -q -h 127.0.0.1 -p "$port" -U postgres
}

env_postgresql() { # server
  local port name
  name=$(variable "$1")
  # shellcheck disable=SC1090
  source "$run/$1/ports"
  printf 'export %s_CONNINFO=postgresql://postgres:right@127.0.0.1:%s/postgres\n' "$name" "$port"
  printf 'export %s_PORT=%s\nexport %s_PID=%s\n' "$name" "$port" "$name" "$(<"$run/$1/pid")"
}
