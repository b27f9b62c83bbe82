// SPDX-License-Identifier: MIT
// A service that takes orders over HTTP and tells others of them; with health, metrics, and reload.
// Usage: PROGRAM PORT brokers.json
#include <action_triggers/action_triggers.hpp>
#include <action_triggers/prometheus.hpp>
#include <csignal>
#include <exception>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>

#include "http_server.hpp"
#include "systemd.hpp"

namespace at = action_triggers;

namespace {

HttpAnswer place_order(at::TriggerDispatcher& dispatcher, const std::string& order) {
  const at::Emission event = dispatcher.emit("order.placed", order);
  if (event.empty()) return {202, "accepted; no trigger sends it to anyone\n"};  // as the configuration says
  if (!event.done() || event.all_ok()) return {202, "accepted\n"};
  // What is refused at once, the client hears: an order that is no JSON, a queue that is full.
  std::ostringstream why;
  bool is_the_clients_fault = true;
  for (const at::DeliveryReport& report : event) {
    if (report.status.ok()) continue;
    why << report.broker << ": " << report.status << '\n';
    is_the_clients_fault = is_the_clients_fault && report.status.permanent();
  }
  return {is_the_clients_fault ? 400U : 503U, why.str()};
}

HttpAnswer answer_to(at::TriggerDispatcher& dispatcher, const HttpRequest& request) {
  const std::string what = request.method + " " + request.path;
  if (what == "POST /orders") return place_order(dispatcher, request.body);
  if (what == "GET /metrics") {
    return {200, at::prometheus_text(dispatcher.stats()), std::string(at::prometheus_content_type)};
  }
  if (what == "GET /healthz") {
    const at::Health health = dispatcher.health();
    std::ostringstream text;
    text << health << '\n';
    return {health.state == at::HealthState::down ? 503U : 200U, text.str()};
  }
  return {404, "there are POST /orders, GET /metrics and GET /healthz\n"};
}

void reload(at::TriggerDispatcher& dispatcher, const std::string& file) {
  tell_systemd("RELOADING=1");
  try {
    const at::ReloadReport report = dispatcher.reload_file(file);
    std::cerr << "reloaded: " << report.added.size() << " destinations added, " << report.changed.size() << " changed, "
              << report.removed.size() << " removed\n";
    tell_systemd("READY=1\nSTATUS=reloaded");
  } catch (const std::exception& error) {  // goes on as before
    std::cerr << file << ": " << error.what() << '\n';
    tell_systemd("READY=1\nSTATUS=not reloaded, see the log");
  }
}

int serve(std::uint16_t port, const std::string& file) {
  // Before any thread is made: all of them leave these to sigwait() below.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGHUP, SIGINT, SIGTERM}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  at::DispatcherOptions options;
  options.log = [](at::LogLevel level, std::string_view /*component*/, std::string_view text) {
    if (level >= at::LogLevel::warning) std::cerr << std::string(text) + "\n";
  };
  options.on_failure = [](const at::DeliveryReport& report) {
    std::ostringstream line;
    line << report << '\n';
    std::cerr << line.str();
  };
  at::TriggerDispatcher dispatcher(at::load_config(file), std::move(options));
  {
    const HttpServer server(port, [&](const HttpRequest& request) { return answer_to(dispatcher, request); });
    // Brokers need not be there yet: orders wait for them, and /healthz says so.
    tell_systemd("READY=1\nSTATUS=http://127.0.0.1:" + std::to_string(server.port()));
    for (int signal = 0; signal != SIGINT && signal != SIGTERM;) {
      if (sigwait(&signals, &signal) == 0 && signal == SIGHUP) reload(dispatcher, file);
    }
    tell_systemd("STOPPING=1");
  }                                                                           // takes no more orders
  const at::CloseReport report = dispatcher.close(std::chrono::seconds(20));  // less than TimeoutStopSec
  return report.complete() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 3) throw std::runtime_error("usage: PROGRAM PORT brokers.json");
    const int port = std::stoi(argv[1]);
    if (port < 0 || port > 65'535) throw std::runtime_error("no port: " + std::string(argv[1]));
    return serve(static_cast<std::uint16_t>(port), argv[2]);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
