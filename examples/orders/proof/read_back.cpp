// SPDX-License-Identifier: MIT
#include "read_back.hpp"

#include <action_triggers/host_port.hpp>
#include <action_triggers/kafka.hpp>
#include <action_triggers/rabbitmq.hpp>
#include <array>
#include <cstdio>
#include <sstream>
#include <stdexcept>

namespace proof {
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

/// Of lines of "id<TAB>body"; the bodies of this example have no line ends.
void add_messages(const std::string& lines, std::vector<Arrival>& arrivals) {
  std::istringstream in(lines);
  for (std::string line; std::getline(in, line);) {
    const std::size_t tab = line.find('\t');
    std::string id = line.substr(0, tab);
    // kcat prints all headers: content-type=…,message-id=…
    const std::string header = "message-id=";
    if (const std::size_t begin = id.find(header); begin != std::string::npos) {
      id.erase(0, begin + header.size());
      id.erase(std::min(id.find(','), id.size()));
    }
    arrivals.push_back({id, tab == std::string::npos ? std::string() : line.substr(tab + 1)});
  }
}

}  // namespace

std::string title_of(const at::BrokerConfig& broker) {
  if (const auto* kafka = dynamic_cast<const at::KafkaConfig*>(&broker)) return "Kafka, topic " + kafka->topic;
  if (const auto* rabbitmq = dynamic_cast<const at::RabbitMqConfig*>(&broker)) {
    return "RabbitMQ, queue " + rabbitmq->queue;
  }
  return broker.broker_type;
}

void read_back(const at::BrokerConfig& broker, std::vector<Arrival>& arrivals) {
  if (const auto* kafka = dynamic_cast<const at::KafkaConfig*>(&broker)) {
    arrivals.clear();
    add_messages(output_of("kcat -C -q -e -o beginning -b " + kafka->bootstrap_servers + " -t " + kafka->topic +
                           " -f '%h\\t%s\\n'"),
                 arrivals);
  } else if (const auto* rabbitmq = dynamic_cast<const at::RabbitMqConfig*>(&broker)) {
    const at::HostPort& host = rabbitmq->hosts.front();
    add_messages(output_of("/usr/bin/python3 " EXAMPLE_DIR "/proof/read_queue.py " + host.host + " " +
                           std::to_string(host.port) + " " + rabbitmq->queue),
                 arrivals);
  } else {
    throw std::runtime_error("nobody knows how to read back from a broker of type " + broker.broker_type);
  }
}

}  // namespace proof
