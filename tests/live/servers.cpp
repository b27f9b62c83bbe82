// SPDX-License-Identifier: MIT
#include "live/servers.hpp"

#include <librdkafka/rdkafka.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

namespace action_triggers::tests {
namespace {

const std::string scripts = ACTION_TRIGGERS_SOURCE_DIR "/scripts";
const std::string python = "/usr/bin/python3";  // Debian's, which has pika
bool started_here = false;

/// Of a hexadecimal number, as Python prints it.
int digit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

/// A tab-separated line.
std::vector<std::string> split(const std::string& line, std::size_t most) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (parts.size() + 1 < most) {
    const std::size_t tab = line.find('\t', begin);
    if (tab == std::string::npos) break;
    parts.push_back(line.substr(begin, tab - begin));
    begin = tab + 1;
  }
  parts.push_back(line.substr(begin));
  return parts;
}

}  // namespace

void Servers::start_own(const std::string& names) {
  started_here = run(scripts + "/servers env || true").find("nothing was started") != std::string::npos;
  start(names);
}

void Servers::start(const std::string& names, const std::string& environment) {
  run(environment + " " + scripts + "/servers start " + names);
  read_servers_environment();
}

std::string Servers::variable(const std::string& name) { return servers_variable(name.c_str()); }

void Servers::stop() {
  if (started_here) run(scripts + "/servers stop");
}

std::string Servers::rabbitmq_host() { return servers_variable("AT_RABBITMQ_HOST"); }
int Servers::rabbitmq_port() { return std::stoi(servers_variable("AT_RABBITMQ_PORT")); }
std::string Servers::kafka_bootstrap() { return servers_variable("AT_KAFKA_BOOTSTRAP"); }
std::string Servers::rabbitmqctl(const std::string& arguments) {
  return run("'" + servers_variable("AT_RABBITMQCTL") + "' " + arguments);
}

std::vector<Received> drain_queue(const std::string& queue, const std::string& virtual_host) {
  std::istringstream lines(run(python + " " ACTION_TRIGGERS_SOURCE_DIR "/tests/live/drain_queue.py " +
                               Servers::rabbitmq_host() + " " + std::to_string(Servers::rabbitmq_port()) + " '" +
                               virtual_host + "' '" + queue + "'"));
  std::vector<Received> messages;
  for (std::string line; std::getline(lines, line);) {
    const auto json = nlohmann::json::parse(line);
    Received& message = messages.emplace_back();
    message.id = json.at("message_id").is_string() ? json.at("message_id").get<std::string>() : "";
    const std::string hex = json.at("body");
    message.body.reserve(hex.size() / 2);
    for (std::size_t at = 0; at + 1 < hex.size(); at += 2) {
      message.body.push_back(static_cast<char>(16 * digit(hex[at]) + digit(hex[at + 1])));
    }
    message.properties = json.dump();
  }
  return messages;
}

std::vector<Received> read_topic(const std::string& topic, const std::string& bootstrap) {
  // Lengths are printed too, so that bodies may contain anything but are still found.
  const std::string all =
      run("kcat -C -q -e -o beginning -b " + (bootstrap.empty() ? Servers::kafka_bootstrap() : bootstrap) + " -t " +
          topic + " -f '%p\\t%o\\t%k\\t%h\\t%S\\t%s\\n'");
  std::vector<Received> messages;
  for (std::size_t at = 0; at < all.size();) {
    const std::size_t line_end = all.find('\n', at);
    const auto parts = split(all.substr(at, line_end - at), 6);
    if (parts.size() != 6) throw std::runtime_error("kcat said: " + all.substr(at, line_end - at));
    const auto size = std::stoul(parts[4]);
    const std::size_t header =
        parts[0].size() + parts[1].size() + parts[2].size() + parts[3].size() + parts[4].size() + 5;
    Received& message = messages.emplace_back();
    message.partition = std::stoll(parts[0]);
    message.offset = std::stoll(parts[1]);
    message.key = parts[2];
    message.properties = parts[3];
    message.body = all.substr(at + header, size);
    const std::string id_header = "message-id=";
    if (const std::size_t id = parts[3].find(id_header); id != std::string::npos) {
      message.id = parts[3].substr(id + id_header.size(), parts[3].find(',', id) - id - id_header.size());
    }
    at += header + size + 1;
  }
  return messages;
}

namespace {

using KafkaHandle = std::unique_ptr<rd_kafka_t, decltype(&rd_kafka_destroy)>;

KafkaHandle kafka_client(const std::string& bootstrap) {
  std::array<char, 512> reason{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  const std::string servers = bootstrap.empty() ? Servers::kafka_bootstrap() : bootstrap;
  rd_kafka_conf_set(conf, "bootstrap.servers", servers.c_str(), reason.data(), reason.size());
  return {rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason.data(), reason.size()), rd_kafka_destroy};
}

rd_kafka_resp_err_t result_of_creation(rd_kafka_event_t* event) {
  if (event == nullptr) return RD_KAFKA_RESP_ERR__TIMED_OUT;
  if (const auto error = rd_kafka_event_error(event); error != RD_KAFKA_RESP_ERR_NO_ERROR) return error;
  std::size_t count = 0;
  const rd_kafka_topic_result_t** topics =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
  for (std::size_t i = 0; i < count; ++i) {
    if (const auto error = rd_kafka_topic_result_error(topics[i]); error != RD_KAFKA_RESP_ERR_NO_ERROR) return error;
  }
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

}  // namespace

void await_leaders(const std::vector<std::string>& topics, int partitions, const std::string& bootstrap) {
  const KafkaHandle client = kafka_client(bootstrap);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(3);
  for (const std::string& topic : topics) {
    for (int partition = 0; partition < partitions; ++partition) {
      std::int64_t low = 0;
      std::int64_t high = 0;
      while (rd_kafka_query_watermark_offsets(client.get(), topic.c_str(), partition, &low, &high, 10'000) !=
             RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("no leader for topic " + topic);
      }
    }
  }
}

void create_topics(const std::vector<std::string>& topics, int partitions, const std::string& bootstrap) {
  std::array<char, 512> reason{};
  const KafkaHandle client = kafka_client(bootstrap);
  std::vector<rd_kafka_NewTopic_t*> wanted;
  for (const std::string& topic : topics) {
    wanted.push_back(rd_kafka_NewTopic_new(topic.c_str(), partitions, 1, reason.data(), reason.size()));
  }
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client.get());
  rd_kafka_CreateTopics(client.get(), wanted.data(), wanted.size(), nullptr, queue);
  rd_kafka_event_t* event = rd_kafka_queue_poll(queue, 60'000);
  const rd_kafka_resp_err_t error = result_of_creation(event);
  rd_kafka_event_destroy(event);
  rd_kafka_queue_destroy(queue);
  rd_kafka_NewTopic_destroy_array(wanted.data(), wanted.size());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) throw std::runtime_error(rd_kafka_err2str(error));
  await_leaders(topics, partitions, bootstrap);
}

std::set<std::string> rabbitmq_connections(const std::string& user_or_name) {
  std::istringstream lines(Servers::rabbitmqctl("-q list_connections pid user client_properties --no-table-headers"));
  std::set<std::string> connections;
  for (std::string line; std::getline(lines, line);) {
    if (line.find(user_or_name) != std::string::npos) connections.insert(line.substr(0, line.find('\t')));
  }
  return connections;
}

int rabbitmq_connections_of(const std::string& user_or_name) {
  return static_cast<int>(rabbitmq_connections(user_or_name).size());
}

std::set<std::string> sockets_to(const std::string& server) {
  const std::string port = server.substr(server.rfind(':') + 1);
  std::istringstream lines(run("ss -Htnp state established dport = :" + port));
  std::set<std::string> sockets;
  const std::string us = "pid=" + std::to_string(getpid()) + ",";
  for (std::string line; std::getline(lines, line);) {
    if (line.find(us) == std::string::npos) continue;
    std::istringstream words(line);
    std::string unread;
    std::string unsent;
    std::string local;
    words >> unread >> unsent >> local;
    sockets.insert(local);
  }
  return sockets;
}

int connections_to(const std::string& server) { return static_cast<int>(sockets_to(server).size()); }

std::string unique(const std::string& prefix) {
  static const auto run_id = std::chrono::system_clock::now().time_since_epoch().count();
  static int calls = 0;
  return prefix + "-" + std::to_string(run_id) + "-" + std::to_string(++calls);
}

}  // namespace action_triggers::tests
