# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2016,SC2034,SC2154
# Apache Kafka, the jars that scripts/setup fetches: one node, a cluster of three, or one with TLS and SASL.
# scripts/servers says what each part is for.

title_kafka=Kafka
servers_kafka=(kafka kafka-2 kafka-3 kafka-secure)
help_kafka='Kafka (no topic is made automatically: "$AT_KAFKA_TOPICS" --create --topic NAME):
  kafka                     one node
  kafka-2, kafka-3          more brokers of its cluster, whose controller is kafka
  kafka-secure              another one, with TLS and SASL listeners; user alice, password right
  AT_KAFKA_BOOTSTRAP (HOST:PORT)  AT_KAFKA_PID  AT_KAFKA_LIBS (jars)  AT_KAFKA_TOPICS (kafka-topics)
  AT_KAFKA_BEHIND_PROXY, AT_KAFKA_PROXY (ports: a listener, and where it says that it listens, for a proxy of yours)
  AT_KAFKA_SASL_BEHIND_PROXY, AT_KAFKA_SASL_PROXY (the same with SASL PLAIN, not encrypted)
  AT_KAFKA_SECURE_SERVER, _ELSEWHERE, _EXPIRED, _SELFSIGNED (TLS), _MTLS, _SASL, _SASL_TLS (HOST:PORT each)
  Its jars are in ${ACTION_TRIGGERS_CACHE:-build/servers}. `start` fetches them if need be (scripts/setup kafka), and
  exits with 3, before anything is started, if that is impossible.
  All of them start quickly rather than run fast: KAFKA_JVM_PERFORMANCE_OPTS has other options for the JVM, or none.
  The certificates of kafka-secure are yours, in the folder ${ACTION_TRIGGERS_CERTIFICATES}: ca.pem and
  {server,elsewhere,expired,selfsigned}.keystore.pem.'

kafka_libs=$("$root/scripts/setup" --where kafka)/libs

java_command() { if [ -n "${JAVA_HOME:-}" ]; then echo "$JAVA_HOME/bin/java"; else command -v java; fi; }

check_kafka() {
  local status=0
  if ! java_command >/dev/null; then fail "Java is not installed: run scripts/setup demo"; fi
  if [ -e "${kafka_libs%/libs}/.complete" ]; then return 0; fi
  "$root/scripts/setup" kafka || status=$?
  if [ $status != 0 ]; then exit $status; fi
}

configure_kafka() { # server
  local dir=$run/$1
  if [ -e "$dir/ports" ]; then return 0; fi
  local port controller behind front sasl_behind sasl_front node=1 roles=broker,controller listeners=CONTROLLER://127.0.0.1:
  case $1 in
    *-[0-9])
      need kafka
      # shellcheck disable=SC1091
      source "$run/kafka/ports"
      node=${1##*-} roles=broker listeners=
      ;;
  esac
  rm -rf "$dir"
  mkdir -p "$dir/data" "$dir/tmp"
  if [ "$node" = 1 ]; then
    free_port controller
    listeners+="$controller,"
    head -c 16 /dev/urandom | base64 | tr +/ -_ | tr -d = >"$dir/cluster-id"
  else
    cp "$run/kafka/cluster-id" "$dir/"
  fi
  free_port port; free_port behind; free_port front; free_port sasl_behind; free_port sasl_front
  cat >"$dir/server.properties" <<TEXT
process.roles=$roles
node.id=$node
controller.quorum.voters=1@127.0.0.1:$controller
controller.listener.names=CONTROLLER
listeners=${listeners}PLAINTEXT://127.0.0.1:$port,PROXIED://127.0.0.1:$behind,SASL_PROXIED://127.0.0.1:$sasl_behind
advertised.listeners=PLAINTEXT://127.0.0.1:$port,PROXIED://127.0.0.1:$front,SASL_PROXIED://127.0.0.1:$sasl_front
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT,SASL_PROXIED:SASL_PLAINTEXT
listener.name.sasl_proxied.sasl.enabled.mechanisms=PLAIN
listener.name.sasl_proxied.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="right";
inter.broker.listener.name=PLAINTEXT
log.dirs=data
# bench/ writes much to topics that keep little.
log.retention.check.interval.ms=5000
auto.create.topics.enable=false
num.partitions=3
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=3
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=3
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=4000
TEXT
  if [ "$1" = kafka-secure ]; then secure_kafka "$dir"; fi
  cat >"$dir/log4j2.properties" <<'TEXT'
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %m (%c)%n
rootLogger.level=INFO
rootLogger.appenderRef.out.ref=out
logger.config.name=org.apache.kafka.common.config.AbstractConfig
logger.config.level=WARN
TEXT
  : >"$dir/environment"
  write_wrapper "kafka-topics${1#kafka}" "$1" "$dir/environment" "$(java_command)" -XX:-UsePerfData -XX:TieredStopAtLevel=1 \
    -Xshare:auto -Dlog4j2.level=ERROR -cp "$kafka_libs/*" org.apache.kafka.tools.TopicCommand --bootstrap-server "127.0.0.1:$port"
  printf 'port=%s controller=%s node=%s behind=%s front=%s sasl_behind=%s sasl_front=%s\n' "$port" "$controller" \
    "$node" "$behind" "$front" "$sasl_behind" "$sasl_front" >"$dir/ports"
}

# Listeners with TLS and SASL beside the plain one; each has its own certificate.
secure_kafka() { # folder
  local name port protocol keystore listeners="" map="" certificates=${ACTION_TRIGGERS_CERTIFICATES:?is not set; see --help}
  for name in SERVER ELSEWHERE EXPIRED SELFSIGNED MTLS SASL SASL_TLS; do
    free_port port
    protocol=SSL keystore=server
    case $name in
      SASL) protocol=SASL_PLAINTEXT ;;
      SASL_TLS) protocol=SASL_SSL ;;
      ELSEWHERE | EXPIRED | SELFSIGNED) keystore=${name,,} ;;
    esac
    listeners+=",$name://127.0.0.1:$port" map+=",$name:$protocol"
    printf 'export AT_KAFKA_SECURE_%s=localhost:%s\n' $name "$port" >>"$1/secure-env"
    {
      printf 'listener.name.%s.ssl.keystore.type=PEM\n' "${name,,}"
      printf 'listener.name.%s.ssl.keystore.location=%s\n' "${name,,}" "$certificates/$keystore.keystore.pem"
    } >>"$1/server.properties"
    case $name in
      SASL*)
        cat >>"$1/server.properties" <<TEXT
listener.name.${name,,}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.${name,,}.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="right";
listener.name.${name,,}.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.${name,,}.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
TEXT
        ;;
    esac
  done
  cat >>"$1/server.properties" <<TEXT
listener.name.mtls.ssl.client.auth=required
listener.name.mtls.ssl.truststore.type=PEM
listener.name.mtls.ssl.truststore.location=$certificates/ca.pem
TEXT
  sed -i -e "s|^listeners=.*|&$listeners|" -e "s|^listener.security.protocol.map=.*|&$map|" \
    -e "s|^advertised.listeners=.*|&${listeners//127.0.0.1/localhost}|" "$1/server.properties"
  printf '%s\n' --add-scram 'SCRAM-SHA-256=[name=alice,password=right]' \
    --add-scram 'SCRAM-SHA-512=[name=alice,password=right]' >"$1/format-options"
}

launch_kafka() {
  local dir=$run/$1 java
  java=$(java_command)
  rm -f "$dir/pid" "$dir/output"
  # One command formats the data folder, the first time, and then becomes the broker. The id may begin with a dash.
  # shellcheck disable=SC2016
  spawn "$1" "$dir/output" bash -c '
    java=$1 libs=$2 tuned=$3 more=()
    options=(-XX:+UseSerialGC -XX:-UsePerfData -Djava.io.tmpdir=tmp -Dlog4j2.configurationFile=log4j2.properties)
    if [ ! -e formatted ]; then
      if [ -e format-options ]; then mapfile -t more <format-options; fi
      "$java" "${options[@]}" -XX:TieredStopAtLevel=1 -cp "$libs/*" kafka.tools.StorageTool format \
        --cluster-id="$(<cluster-id)" -c server.properties "${more[@]}" && touch formatted
    fi && echo $$ >pid && exec "$java" -Xmx1g "${options[@]}" $tuned -cp "$libs/*" kafka.Kafka server.properties
  ' kafka "$java" "$kafka_libs" "${KAFKA_JVM_PERFORMANCE_OPTS--XX:TieredStopAtLevel=1}"
}

ready_kafka() {
  local port controller node behind front sasl_behind sasl_front
  # shellcheck disable=SC1090
  source "$run/$1/ports"
  grep -qs 'Kafka Server started' "$run/$1/output" && alive "$1" && listening "$port" || return
  if command -v kcat >/dev/null; then kcat -L -m 10 -b "127.0.0.1:$port" 2>/dev/null | grep -q "broker $node at"; fi
}

env_kafka() {
  local port controller node behind front sasl_behind sasl_front name
  name=$(variable "$1")
  # shellcheck disable=SC1090
  source "$run/$1/ports"
  printf 'export %s_BEHIND_PROXY=%s\nexport %s_PROXY=%s\n' "$name" "$behind" "$name" "$front"
  printf 'export %s_SASL_BEHIND_PROXY=%s\nexport %s_SASL_PROXY=%s\n' "$name" "$sasl_behind" "$name" "$sasl_front"
  printf 'export %s_BOOTSTRAP=127.0.0.1:%s\nexport %s_PID=%s\n' "$name" "$port" "$name" "$(<"$run/$1/pid")"
  printf 'export AT_KAFKA_LIBS=%q\nexport %s_TOPICS=%q\n' "$kafka_libs" "$name" "$run/kafka-topics${1#kafka}"
  if [ -e "$run/$1/secure-env" ]; then cat "$run/$1/secure-env"; fi
}
