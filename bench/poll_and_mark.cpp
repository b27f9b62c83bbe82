// SPDX-License-Identifier: MIT
// A relay as it is often written by hand, PostgreSQL to Kafka: a batch is locked, sent, waited for and marked, again
// and again. Any number of them may run; the order is lost then. bench/outbox.py puts it beside ours.
#include <librdkafka/rdkafka.h>

#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "measure.hpp"
#include "postgresql_session.hpp"

using namespace action_triggers::bench;

namespace {

constexpr const char* next_batch =
    "SELECT id::text, body FROM bench_poll_and_mark WHERE sent_at IS NULL ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 100";

class Producer {
 public:
  Producer(const std::string& bootstrap, const std::string& topic) {
    char reason[512];
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    for (const auto& [name, value] : {std::pair{"bootstrap.servers", bootstrap.c_str()},
                                      std::pair{"enable.idempotence", "true"}, std::pair{"linger.ms", "1"}}) {
      if (rd_kafka_conf_set(conf, name, value, reason, sizeof reason) != RD_KAFKA_CONF_OK) {
        throw std::runtime_error(reason);
      }
    }
    rd_kafka_conf_set_dr_msg_cb(conf, [](rd_kafka_t*, const rd_kafka_message_t* message, void*) {
      if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) std::terminate();
    });
    client_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (client_ == nullptr) throw std::runtime_error(reason);
    topic_ = rd_kafka_topic_new(client_, topic.c_str(), nullptr);
  }
  ~Producer() {
    rd_kafka_topic_destroy(topic_);
    rd_kafka_destroy(client_);
  }
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  void produce(std::string_view body) {
    if (rd_kafka_produce(topic_, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, const_cast<char*>(body.data()),
                         body.size(), nullptr, 0, nullptr) != 0) {
      throw std::runtime_error(rd_kafka_err2str(rd_kafka_last_error()));
    }
  }
  void wait_for_all() {
    if (rd_kafka_flush(client_, 60'000) != RD_KAFKA_RESP_ERR_NO_ERROR) throw std::runtime_error("nothing is confirmed");
  }

 private:
  rd_kafka_t* client_;
  rd_kafka_topic_t* topic_;
};

/// For some seconds, or until there is nothing more.
nlohmann::json relay(const Options& options) {
  PgConnection connection(options.database);
  Producer producer(options.broker, options.destination);
  connection.prepare("next", next_batch);
  connection.prepare("mark", "UPDATE bench_poll_and_mark SET sent_at = now() WHERE id = ANY ($1::text::bigint[])");
  std::size_t sent = 0;
  const Stopwatch watch;
  while (watch.seconds() < options.seconds) {
    connection.run("BEGIN");
    const PgAnswer batch = connection.execute("next", {});
    std::string ids;
    for (int row = 0; row < PQntuples(batch.get()); ++row) {
      producer.produce({PQgetvalue(batch.get(), row, 1), static_cast<std::size_t>(PQgetlength(batch.get(), row, 1))});
      ids += (ids.empty() ? "{" : ",") + std::string(PQgetvalue(batch.get(), row, 0));
    }
    if (ids.empty()) break;
    producer.wait_for_all();
    ids += "}";
    connection.execute("mark", {ids});
    connection.run("COMMIT");
    sent += static_cast<std::size_t>(PQntuples(batch.get()));
  }
  return rates(sent, watch);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Options options = parse(argc, argv, "Relays a table, bench_poll_and_mark, to Kafka.",
                                  {{"relay", "for SECONDS, or until everything is sent"}});
    return report(options, "poll and mark", relay(options));
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}
