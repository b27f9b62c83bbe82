# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
# PgBouncer in transaction mode, before the server postgresql: two sessions there for all clients, so that whoever keeps
# something in a session is found out. scripts/servers says what each part is for.

title_pgbouncer=PgBouncer
servers_pgbouncer=(pgbouncer)
help_pgbouncer='PgBouncer (transaction mode; needs postgresql):
  pgbouncer                 one, before postgresql
  AT_PGBOUNCER_CONNINFO (a URI)  AT_PGBOUNCER_PORT  AT_PGBOUNCER_PID'

check_pgbouncer() {
  if [ ! -x /usr/sbin/pgbouncer ]; then fail "PgBouncer is not installed: run scripts/setup test"; fi
}

configure_pgbouncer() { # server
  local dir=$run/$1 port folder behind
  if [ -e "$dir/ports" ]; then return 0; fi
  if [ ! -e "$run/postgresql/ports" ]; then fail "what it stands before is not configured: start postgresql first"; fi
  # shellcheck disable=SC1091
  source "$run/postgresql/ports"
  behind=$port
  free_port port
  unprivileged_folder "$1"
  folder=$(realpath "$dir/data")
  cat >"$folder/pgbouncer.ini" <<TEXT
[databases]
* = host=127.0.0.1 port=$behind
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir =
auth_type = scram-sha-256
auth_file = $folder/users
pool_mode = transaction
default_pool_size = 2
TEXT
  echo '"postgres" "right"' >"$folder/users"
  if [ ${#unprivileged[@]} != 0 ]; then chown postgres: "$folder"/*; fi
  printf 'port=%s\n' "$port" >"$dir/ports"
}

launch_pgbouncer() { # server
  local dir=$run/$1 folder
  folder=$(realpath "$dir/data")
  rm -f "$dir/pid" "$dir/output"
  # shellcheck disable=SC2016
  spawn "$1" "$dir/output" bash -c 'echo $$ >pid && cd "$1" && shift && exec "$@"' pgbouncer \
    "$folder" "${unprivileged[@]}" /usr/sbin/pgbouncer "$folder/pgbouncer.ini"
}

ready_pgbouncer() { # server
  local port
  # shellcheck disable=SC1090
  source "$run/$1/ports"
  alive "$1" && listening "$port"
}

env_pgbouncer() { # server
  local port name
  name=$(variable "$1")
  # shellcheck disable=SC1090
  source "$run/$1/ports"
  printf 'export %s_CONNINFO=postgresql://postgres:right@127.0.0.1:%s/postgres\n' "$name" "$port"
  printf 'export %s_PORT=%s\nexport %s_PID=%s\n' "$name" "$port" "$name" "$(<"$run/$1/pid")"
}
