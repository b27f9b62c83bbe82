#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs as root in a bare Debian, with the packages in /root.
set -eux
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
cd /root
dpkg-query -W -f '${Package}\n' >before
install_packages() { apt-get install -y --no-install-recommends "$@"; }

# The command, with all that it needs.
install_packages ./libaction-triggers0.1_*.deb ./action-triggers_*.deb
action-triggers --version
echo '{"brokers": {"events": {"broker_type": "kafka", "conn_details": {"bootstrap_servers": "localhost:9092"},
  "params": {"topic": "events"}}, "orders": {"broker_type": "memory"}}}' >brokers.json
action-triggers check brokers.json
action-triggers fire brokers.json orders --body paid
zcat /usr/share/man/man1/action-triggers.1.gz | grep -q '^\.TH'
test -s /usr/share/bash-completion/completions/action-triggers
test -s /usr/share/zsh/vendor-completions/_action-triggers
test -s /usr/share/fish/vendor_completions.d/action-triggers.fish
grep -q '^ExecStart=/usr/bin/action-triggers relay' /usr/lib/systemd/system/action-triggers-relay.service
test ! -e /etc/systemd/system/multi-user.target.wants/action-triggers-relay.service

# What uses the library: with CMake, with pkg-config, with nothing.
install_packages ./libaction-triggers-dev_*.deb g++ make cmake pkg-config
cmake -S debian -B build
cmake --build build
build/consumer
build/consumer_sqlite
c++ main.cpp -o app $(pkg-config --cflags --libs action_triggers)
./app
c++ -std=c++20 main.cpp -o app -laction_triggers -pthread
./app

# Nothing stays.
dpkg --verify action-triggers libaction-triggers-dev libaction-triggers0.1
wants=/etc/systemd/system/multi-user.target.wants
mkdir -p $wants
ln -s /usr/lib/systemd/system/action-triggers-relay.service $wants/ # as systemctl enable does
apt-get remove -y --purge action-triggers libaction-triggers-dev libaction-triggers0.1
left=$(find / -xdev \( -path /proc -o -path /root -o -path /tmp -o -path /var/log -o -path /var/cache \) -prune -o \
  -iname '*action?triggers*' -print)
test -z "$left"
apt-get autoremove -y --purge
