# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
# Redis, as Debian packages it, for the example of a broker type of one's own. It keeps nothing on disk. scripts/servers
# says what each part is for.

title_redis=Redis
servers_redis=(redis)
help_redis='Redis (password right):
  redis                     one server, which allows clients on this machine to use DEBUG
  AT_REDIS_PORT  AT_REDIS_PID'

check_redis() {
  if [ ! -x /usr/bin/redis-server ]; then fail "Redis is not installed: run scripts/setup test"; fi
}

configure_redis() { # server
  local dir=$run/$1 port
  if [ -e "$dir/ports" ]; then return 0; fi
  mkdir -p "$dir"
  free_port port
  # Its title would take the place of its environment, by which we know our processes.
  cat >"$dir/redis.conf" <<TEXT
bind 127.0.0.1
port $port
requirepass right
save ""
appendonly no
daemonize no
set-proc-title no
enable-debug-command local
TEXT
  printf 'port=%s\n' "$port" >"$dir/ports"
}

launch_redis() { # server
  local dir=$run/$1
  rm -f "$dir/pid" "$dir/output"
  # shellcheck disable=SC2016
  spawn "$1" "$dir/output" bash -c 'echo $$ >pid && exec "$@"' redis /usr/bin/redis-server "$dir/redis.conf"
}

ready_redis() { # server
  local port
  # shellcheck disable=SC1090
  source "$run/$1/ports"
  alive "$1" && listening "$port"
}

env_redis() { # server
  local port name
  name=$(variable "$1")
  # shellcheck disable=SC1090
  source "$run/$1/ports"
  printf 'export %s_PORT=%s\nexport %s_PID=%s\n' "$name" "$port" "$name" "$(<"$run/$1/pid")"
}
