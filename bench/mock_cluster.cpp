#include "mock_cluster.hpp"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

namespace action_triggers::bench {

struct MockCluster::Impl {
  rd_kafka_t* client;
  rd_kafka_mock_cluster_t* cluster;
};

MockCluster::MockCluster(const std::string& topic) {
  char reason[512];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "log_level", "3", nullptr, 0);  // it would miss bootstrap servers, which it does not need
  rd_kafka_t* client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
  impl_ = std::make_unique<Impl>(Impl{client, rd_kafka_mock_cluster_new(client, 1)});
  rd_kafka_mock_topic_create(impl_->cluster, topic.c_str(), 4, 1);
}

MockCluster::~MockCluster() {
  rd_kafka_mock_cluster_destroy(impl_->cluster);
  rd_kafka_destroy(impl_->client);
}

std::string MockCluster::bootstrap() const { return rd_kafka_mock_cluster_bootstraps(impl_->cluster); }

}  // namespace action_triggers::bench
