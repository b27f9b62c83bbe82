# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
# RabbitMQ, Debian's rabbitmq-server: one node, or a cluster of three. scripts/servers says what each part is for.

title_rabbitmq=RabbitMQ
servers_rabbitmq=(rabbitmq rabbitmq-2 rabbitmq-3)
helpers_rabbitmq=(epmd)
help_rabbitmq='RabbitMQ (user guest, password guest):
  rabbitmq                  one node
  rabbitmq-2, rabbitmq-3    more nodes of its cluster
  AT_RABBITMQ_HOST  AT_RABBITMQ_PORT  AT_RABBITMQ_PID  AT_RABBITMQCTL (rabbitmqctl for this node)'

rabbitmq_bin=/usr/lib/rabbitmq/bin

check_rabbitmq() {
  if [ ! -x $rabbitmq_bin/rabbitmq-server ] || ! command -v epmd >/dev/null; then
    fail "RabbitMQ is not installed: run scripts/setup demo"
  fi
}

configure_rabbitmq() { # server
  local dir=$run/$1 dist
  if [ -e "$dir/ports" ]; then return 0; fi
  mkdir -p "$dir/data" "$dir/log" "$dir/conf.d"
  local port epmd_port first
  # RabbitMQ 3's default; that of RabbitMQ 4 is 16 MiB. What tests send is then allowed, or too large, on both.
  printf 'max_message_size = 134217728\n' >"$dir/rabbitmq.conf"
  if [ "$1" = rabbitmq ]; then
    free_port epmd_port
    (umask 077 && head -c 30 /dev/urandom | base64 | tr -dc A-Za-z0-9 >"$dir/.erlang.cookie")
    chmod 400 "$dir/.erlang.cookie"
  else
    need rabbitmq
    # shellcheck disable=SC1091
    source "$run/rabbitmq/ports"
    first=$port
    cp -p "$run/rabbitmq/.erlang.cookie" "$dir/"
    cat >>"$dir/rabbitmq.conf" <<TEXT
cluster_formation.peer_discovery_backend = classic_config
cluster_formation.classic_config.nodes.1 = at_$first@localhost
TEXT
  fi
  free_port port; free_port dist
  printf '[].\n' >"$dir/enabled_plugins"
  printf '[].\n' >"$dir/advanced.config"
  : >"$dir/rabbitmq-env.conf"
  # What the node and rabbitmqctl both need. The empty files keep /etc/rabbitmq out of it. The busy wait (Debian's
  # default: none; Erlang's: medium) lets a virtual machine start the node in 5 s instead of 15 s.
  cat >"$dir/environment" <<TEXT
ERL_EPMD_PORT=$epmd_port
ERL_EPMD_ADDRESS=127.0.0.1
RABBITMQ_NODENAME=at_$port@localhost
RABBITMQ_CONF_ENV_FILE=$dir/rabbitmq-env.conf
RABBITMQ_CONFIG_FILE=$dir/rabbitmq.conf
RABBITMQ_CONFIG_FILES=$dir/conf.d
RABBITMQ_ADVANCED_CONFIG_FILE=$dir/advanced.config
RABBITMQ_ENABLED_PLUGINS_FILE=$dir/enabled_plugins
RABBITMQ_MNESIA_BASE=$dir/data
RABBITMQ_LOG_BASE=$dir/log
RABBITMQ_PID_FILE=$dir/pid
RABBITMQ_NODE_IP_ADDRESS=127.0.0.1
RABBITMQ_NODE_PORT=$port
RABBITMQ_DIST_PORT=$dist
RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}
RABBITMQ_SCHEDULER_BUSY_WAIT_THRESHOLD=very_short
RABBITMQ_CTL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}
TEXT
  write_wrapper "rabbitmqctl${1#rabbitmq}" "$1" "$dir/environment" $rabbitmq_bin/rabbitmqctl
  printf 'port=%s epmd_port=%s\n' "$port" "$epmd_port" >"$dir/ports"
}

launch_rabbitmq() {
  local dir=$run/$1 environment port epmd_port
  # shellcheck disable=SC1091
  source "$dir/ports"
  rm -f "$dir/pid" "$dir/output"
  mapfile -t environment <"$dir/environment"
  # In the foreground, so that it is ours to kill; otherwise Erlang would start a daemon.
  if ! listening "$epmd_port"; then
    mkdir -p "$run/epmd"
    spawn epmd "$run/epmd/output" epmd -port "$epmd_port" -address 127.0.0.1
    until listening "$epmd_port" || ! alive epmd spawned; do sleep 0.02; done
  fi
  # Not /usr/sbin/rabbitmq-server: that one changes the user and drops the environment.
  spawn "$1" "$dir/output" "${environment[@]}" $rabbitmq_bin/rabbitmq-server
}

ready_rabbitmq() {
  local port epmd_port
  # shellcheck disable=SC1090
  source "$run/$1/ports"
  grep -qs 'completed with' "$run/$1/output" && alive "$1" && listening "$port"
}

env_rabbitmq() {
  local port epmd_port name
  name=$(variable "$1")
  # shellcheck disable=SC1090
  source "$run/$1/ports"
  printf 'export %s_HOST=127.0.0.1\nexport %s_PORT=%s\n' "$name" "$name" "$port"
  printf 'export AT_RABBITMQCTL%s=%q\n' "${name#AT_RABBITMQ}" "$run/rabbitmqctl${1#rabbitmq}"
  printf 'export %s_PID=%s\n' "$name" "$(<"$run/$1/pid")"
}
