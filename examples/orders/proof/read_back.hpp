// SPDX-License-Identifier: MIT
/// The other end: reads back what arrived, with clients that are not ours.
#pragma once

#include <action_triggers/config.hpp>
#include <string>
#include <vector>

#include "account.hpp"

namespace proof {

/// Such as "Kafka, topic orders".
std::string title_of(const action_triggers::BrokerConfig& broker);

/// Makes `arrivals` all that has ever arrived at the broker's destination. Kafka: kcat reads the topic from its
/// beginning; RabbitMQ: Python's pika takes the messages out, so they are added. Throws std::runtime_error.
void read_back(const action_triggers::BrokerConfig& broker, std::vector<Arrival>& arrivals);

}  // namespace proof
