// SPDX-License-Identifier: MIT
#include "read_back.hpp"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <action_triggers/host_port.hpp>
#include <action_triggers/kafka.hpp>
#include <action_triggers/memory.hpp>
#include <action_triggers/rabbitmq.hpp>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <stdexcept>

namespace example {
namespace {

namespace at = action_triggers;

std::string output_of(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot run " + command);
  std::string output;
  std::array<char, 65'536> buffer{};
  for (std::size_t n = 0; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) output.append(buffer.data(), n);
  if (pclose(pipe) != 0) throw std::runtime_error("failed: " + command);
  return output;
}

/// Lines of "id<TAB>body"; the bodies of this example have no line ends.
std::map<std::string, std::string> messages_in(const std::string& lines) {
  std::map<std::string, std::string> messages;
  std::istringstream in(lines);
  for (std::string line; std::getline(in, line);) {
    const std::size_t tab = line.find('\t');
    std::string id = line.substr(0, tab);
    // kcat prints all headers: content-type=…,message-id=…
    if (const std::size_t at = id.find("message-id="); at != std::string::npos) id = id.substr(at + 11);
    messages[id] = line.substr(tab + 1);
  }
  return messages;
}

}  // namespace

std::map<std::string, std::string> read_back(const at::BrokerConfig& broker) {
  if (const auto* kafka = dynamic_cast<const at::KafkaConfig*>(&broker)) {
    return messages_in(output_of("kcat -C -q -e -o beginning -b " + kafka->bootstrap_servers + " -t " + kafka->topic +
                                 " -f '%h\\t%s\\n'"));
  }
  if (const auto* rabbitmq = dynamic_cast<const at::RabbitMqConfig*>(&broker)) {
    const at::HostPort& host = rabbitmq->hosts.front();
    return messages_in(output_of("/usr/bin/python3 " EXAMPLE_DIR "/read_queue.py " + host.host + " " +
                                 std::to_string(host.port) + " " + rabbitmq->queue));
  }
  std::map<std::string, std::string> messages;
  for (const at::Message& message : at::InMemoryBroker::named()->messages(broker.name))
    messages[message.id] = message.body;
  return messages;
}

struct MockKafka::Handles {
  rd_kafka_t* client = nullptr;
  rd_kafka_mock_cluster_t* cluster = nullptr;
};

MockKafka::MockKafka() : handles_(std::make_unique<Handles>()) {
  std::array<char, 512> reason{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "log_level", "3", reason.data(), reason.size());  // a client without servers would complain
  handles_->client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason.data(), reason.size());
  if (handles_->client == nullptr) throw std::runtime_error(reason.data());
  handles_->cluster = rd_kafka_mock_cluster_new(handles_->client, 1);
  setenv("AT_KAFKA_BOOTSTRAP", rd_kafka_mock_cluster_bootstraps(handles_->cluster), 1);
}

MockKafka::~MockKafka() {
  rd_kafka_mock_cluster_destroy(handles_->cluster);
  rd_kafka_destroy(handles_->client);
}

}  // namespace example
