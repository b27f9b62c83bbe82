// SPDX-License-Identifier: MIT
#include "faults/faults.hpp"

#include <cctype>
#include <csignal>
#include <memory>
#include <stdexcept>
#include <thread>

#include "faults/support.hpp"
#include "live/servers.hpp"
#include "support/host_names.hpp"

namespace action_triggers::tests {
namespace {

using namespace std::chrono_literals;

void nothing(FaultProxy& /*proxy*/) {}
void heal_proxy(FaultProxy& proxy) { proxy.heal(); }

/// The connection is lost, and then no name is found. The client may know the address for a while: until it asks again,
/// connections are refused.
Fault dead_name_server() {
  const auto names = std::make_shared<std::unique_ptr<SlowNames>>();
  return {.name = "name server dead for 2 s",
          .begin =
              [names](FaultProxy& proxy) {
                *names = std::make_unique<SlowNames>();
                proxy.refuse();
                proxy.reset_all();
                SlowNames::wait_for_a_lookup();
                proxy.heal();
              },
          .heal = [names](FaultProxy&) { names->reset(); },
          .lasts = 2s};
}

std::vector<Fault> network_faults() {
  std::vector<Fault> all;
  all.push_back({.name = "connection reset", .begin = [](FaultProxy& proxy) { proxy.reset_all(); }, .heal = nothing});
  all.push_back(
      {.name = "half-closed by the peer", .begin = [](FaultProxy& proxy) { proxy.half_close_all(); }, .heal = nothing});
  all.push_back({.name = "black hole for 5 s",
                 .begin = [](FaultProxy& proxy) { proxy.black_hole(); },
                 .heal = heal_proxy,
                 .lasts = 5s});
  all.push_back({.name = "reset, then accepted and silent",
                 .begin =
                     [](FaultProxy& proxy) {
                       proxy.accept_and_stay_silent();
                       proxy.reset_all();
                     },
                 .heal =
                     [](FaultProxy& proxy) {
                       proxy.heal();
                       proxy.reset_all();
                     },
                 .lasts = 3s});
  all.push_back({.name = "reset, then refused",
                 .begin =
                     [](FaultProxy& proxy) {
                       proxy.refuse();
                       proxy.reset_all();
                     },
                 .heal = heal_proxy,
                 .lasts = 2s});
  all.push_back({.name = "published, but every answer dropped",
                 .begin = [](FaultProxy& proxy) { proxy.drop_answers(); },
                 .heal =
                     [](FaultProxy& proxy) {
                       proxy.reset_all();
                       proxy.heal();
                     }});
  all.push_back({.name = "200 ms late in each direction",
                 .begin = [](FaultProxy& proxy) { proxy.delay(200ms); },
                 .heal = heal_proxy,
                 .lasts = 2s});
  all.push_back({.name = "100 kB/s",
                 .begin = [](FaultProxy& proxy) { proxy.limit_bandwidth(100'000); },
                 .heal = heal_proxy,
                 .lasts = 2s});
  all.push_back({.name = "cut after 20,000 bytes, again and again",
                 .begin = [](FaultProxy& proxy) { proxy.cut_after(20'000); },
                 .heal = heal_proxy,
                 .lasts = 3s});
  all.push_back(dead_name_server());
  return all;
}

/// The server's process is killed, or stopped for a while.
void add_process_faults(std::vector<Fault>& all, const std::string& server, const std::string& pid_variable,
                        const std::function<void()>& before_kill) {
  all.push_back({.name = "broker killed and restarted",
                 .begin =
                     [=](FaultProxy&) {
                       before_kill();
                       signal_server(pid_variable, SIGKILL);
                     },
                 .heal = [=](FaultProxy&) { restart_server(server); }});
  all.push_back({.name = "broker stopped for 5 s (SIGSTOP)",
                 .begin = [=](FaultProxy&) { signal_server(pid_variable, SIGSTOP); },
                 .heal = [=](FaultProxy&) { signal_server(pid_variable, SIGCONT); },
                 .lasts = 5s});
}

/// Everything is closed, and refused until the limit is gone.
Fault no_more_connections(const std::string& whose, const std::string& set, const std::string& clear) {
  return {.name = "limit of a " + whose + "'s connections reached for 2 s",
          .begin =
              [=](FaultProxy&) {
                Servers::rabbitmqctl(set + R"( '{"max-connections": 0}')");
                Servers::rabbitmqctl("close_all_connections limit");
              },
          .heal = [=](FaultProxy&) { Servers::rabbitmqctl(clear); },
          .lasts = 2s};
}

/// What an administrator may do to a RabbitMQ.
void add_administrators_faults(std::vector<Fault>& all) {
  all.push_back({.name = "close_all_connections",
                 .begin = [](FaultProxy&) { Servers::rabbitmqctl("close_all_connections fault"); },
                 .heal = nothing});
  all.push_back({.name = "stop_app, start_app",
                 .begin = [](FaultProxy&) { Servers::rabbitmqctl("stop_app"); },
                 .heal =
                     [](FaultProxy&) {
                       Servers::rabbitmqctl("start_app");
                       Servers::rabbitmqctl("await_startup");
                     }});
  all.push_back(no_more_connections("user", "set_user_limits guest", "clear_user_limits guest max-connections"));
  all.push_back(no_more_connections("virtual host", "set_vhost_limits -p /", "clear_vhost_limits -p /"));
}

void add_alarms(std::vector<Fault>& all) {
  all.push_back({.name = "memory alarm for 2 s",
                 .begin = [](FaultProxy&) { Servers::rabbitmqctl("set_vm_memory_high_watermark 0"); },
                 .heal = [](FaultProxy&) { Servers::rabbitmqctl("set_vm_memory_high_watermark 0.4"); },
                 .lasts = 2s});
  all.push_back({.name = "disk alarm for 2 s",
                 .begin = [](FaultProxy&) { Servers::rabbitmqctl("set_disk_free_limit mem_relative 10000"); },
                 .heal = [](FaultProxy&) { Servers::rabbitmqctl("set_disk_free_limit 50MB"); },
                 .lasts = 2s});
}

}  // namespace

void Fault::strike(FaultProxy& proxy) const {
  begin(proxy);
  std::this_thread::sleep_for(lasts);  // the fault's own length
  heal(proxy);
}

void signal_server(const std::string& pid_variable, int signal) {
  if (::kill(std::stoi(Servers::variable(pid_variable)), signal) != 0) {
    throw std::runtime_error(pid_variable + " is no process any more");  // a fault that does not strike proves nothing
  }
}

void restart_server(const std::string& server) {
  run(ACTION_TRIGGERS_SOURCE_DIR "/scripts/servers restart " + server);
  Servers::start(server);  // and learn its new process id
}

std::vector<Fault> rabbitmq_faults() {
  std::vector<Fault> all = network_faults();
  add_process_faults(all, "rabbitmq", "AT_RABBITMQ_PID", [] {
    // RabbitMQ forgets a queue that was declared a moment before, with all in it: docs/delivery.md.
    Servers::rabbitmqctl("eval 'mnesia:sync_log().'");
  });
  add_administrators_faults(all);
  add_alarms(all);
  return all;
}

std::vector<Fault> kafka_faults() {
  std::vector<Fault> all = network_faults();
  add_process_faults(all, "kafka", "AT_KAFKA_PID", [] {});
  return all;
}

FaultProxy kafka_proxy(const std::string& listener) {
  return {"127.0.0.1", std::stoi(Servers::variable("AT_KAFKA" + listener + "_BEHIND_PROXY")),
          std::stoi(Servers::variable("AT_KAFKA" + listener + "_PROXY"))};
}

void cut_login_at_each_step(FaultProxy& proxy, std::size_t bytes, std::size_t step) {
  for (std::size_t at = 1; at <= bytes; at += step) {
    for (const auto cut : {&FaultProxy::cut_after, &FaultProxy::cut_answers_after}) {
      const int before = proxy.connections_cut();
      proxy.heal();
      (proxy.*cut)(at);
      if (!eventually([&] { return proxy.connections_cut() != before; })) {
        throw std::runtime_error("no connection got as far as " + std::to_string(at) + " bytes");
      }
    }
  }
  proxy.heal();
}

std::string name_of(const std::string& fault) {
  std::string name;
  for (const char c : fault) name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name;
}

}  // namespace action_triggers::tests
