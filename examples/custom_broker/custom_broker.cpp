// SPDX-License-Identifier: MIT
// A broker type of the application's own: messages become lines of a file. With a configuration section of its own.
#include <action_triggers/action_triggers.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>

namespace at = action_triggers;

namespace {

struct FileConfig : at::BrokerConfig {
  std::string path;
  bool append = true;
};

/// Getters record problems with their line and column; keys that nobody asks for are reported with a suggestion.
std::unique_ptr<at::BrokerConfig> parse_file(at::BrokerSection& section) {
  auto config = std::make_unique<FileConfig>();
  config->path = section.conn_details.required_string("path");
  config->append = section.conn_details.boolean("append").value_or(true);
  return config;
}

class FileBroker final : public at::Broker {
 public:
  explicit FileBroker(const FileConfig& config) : config_(config) {}

  void connect(at::BrokerEvents& events) override {
    file_.reset(std::fopen(config_.path.c_str(), config_.append ? "a" : "w"));
    if (file_) {
      events.connected();
    } else {
      events.disconnected({at::StatusCode::unavailable, config_.path + ": " + std::strerror(errno)});
    }
  }

  std::size_t send(std::span<const at::OutboundMessage* const> batch, at::BrokerEvents& events) override {
    for (const at::OutboundMessage* message : batch) {
      const std::string line = std::string(message->body()) + "\n";
      const bool written =
          std::fwrite(line.data(), 1, line.size(), file_.get()) == line.size() && std::fflush(file_.get()) == 0;
      // A part of the line may be in the file: that is what possibly_persisted is for.
      events.complete(*message, written ? at::Outcome::persisted()
                                        : at::Outcome::failed({at::StatusCode::unavailable, std::strerror(errno)},
                                                              at::Persistence::possibly_persisted));
    }
    return batch.size();
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  const FileConfig config_;
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace

int main() {
  at::BrokerRegistry registry = at::BrokerRegistry::builtin();
  registry.add("file", parse_file, [](const at::BrokerConfig& config) {
    return std::make_unique<FileBroker>(at::config_as<FileConfig>(config));
  });
  const std::string path = "/tmp/action_triggers_custom_broker.log";
  const at::Config config =
      at::parse_config(R"({"brokers": {"audit": {"broker_type": "file", "conn_details": {"path": ")" + path +
                           R"(", "append": false}}}})",
                       registry);
  at::TriggerDispatcher dispatcher(config, registry);
  const at::DeliveryReport report = dispatcher.fire("audit", "order 42 was placed").wait();
  std::cout << path << ": " << report.status << '\n';
  std::remove(path.c_str());
  return report.status.ok() ? 0 : 1;
}
