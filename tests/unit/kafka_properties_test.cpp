// SPDX-License-Identifier: MIT
#include "brokers/kafka/kafka_properties.hpp"

#include <gmock/gmock.h>

#include <set>
#include <string>
#include <string_view>

#include "support/librdkafka_properties.hpp"

namespace action_triggers::detail {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(KafkaPropertiesTest, AreSortedAndUnique) {
  std::string_view before;
  for (const KafkaProperty& property : kafka_properties()) {
    EXPECT_LT(before, property.name);
    before = property.name;
  }
}

TEST(KafkaPropertiesTest, AreFoundByName) {
  for (const KafkaProperty& property : kafka_properties()) {
    EXPECT_EQ(find_kafka_property(property.name), &property) << property.name;
  }
  for (const char* unknown : {"", "a", "linger", "linger.ms ", "zzz"}) {
    EXPECT_EQ(find_kafka_property(unknown), nullptr) << unknown;
  }
}

TEST(KafkaPropertiesTest, ACanonicalNameIsInTheTableAndIsItsOwn) {
  for (const KafkaProperty& property : kafka_properties()) {
    const KafkaProperty* canonical = find_kafka_property(property.canonical);
    ASSERT_NE(canonical, nullptr) << property.name;
    EXPECT_EQ(canonical->canonical, canonical->name) << property.name;
    EXPECT_EQ(canonical->rule, property.rule) << property.name << " is treated differently under its other name";
  }
}

TEST(KafkaPropertiesTest, ExactlyTheRefusedOnesHaveAReason) {
  for (const KafkaProperty& property : kafka_properties()) {
    EXPECT_EQ(property.why.empty(), property.rule != KafkaPropertyRule::refused) << property.name;
    if (!property.why.empty()) {
      EXPECT_TRUE(property.why.ends_with('.')) << property.name;
    }
  }
}

TEST(KafkaPropertiesTest, WhatLoadsCodeOrRunsACommandOrSkipsVerificationIsRefused) {
  for (const char* name :
       {"plugin.library.paths", "ssl.engine.location", "ssl.engine.id", "ssl.providers", "sasl.kerberos.kinit.cmd",
        "enable.ssl.certificate.verification", "ssl.endpoint.identification.algorithm"}) {
    const KafkaProperty* property = find_kafka_property(name);
    ASSERT_NE(property, nullptr) << name;
    EXPECT_EQ(property->rule, KafkaPropertyRule::refused) << name;
  }
  // However they are called: a newer property of this kind must not come in by its likeness to allowed ones.
  for (const KafkaProperty& property : kafka_properties()) {
    if (property.rule == KafkaPropertyRule::refused) continue;
    for (const char* part : {"plugin", "library", ".engine", "providers", ".cmd", "_cb"}) {
      EXPECT_EQ(property.name.find(part), std::string_view::npos) << property.name;
    }
  }
}

TEST(KafkaPropertiesTest, PasswordsAndPrivateKeysAreSecret) {
  for (const KafkaProperty& property : kafka_properties()) {
    const bool holds_secret = property.name.ends_with("password") || property.name == "ssl.key.pem";
    EXPECT_EQ(holds_secret, property.rule == KafkaPropertyRule::secret) << property.name;
  }
}

TEST(KafkaPropertiesTest, AreSpelledAsLibrdkafkaSpellsThem) {
  // Those that librdkafka 2.0.2 does not have yet.
  const std::set<std::string_view> newer{"metadata.recovery.strategy", "retry.backoff.max.ms"};
  std::set<std::string> known;
  for (const auto& property : tests::librdkafka_properties()) known.insert(property.name);
  ASSERT_THAT(known, Contains("client.id"));
  for (const KafkaProperty& property : kafka_properties()) {
    if (!newer.contains(property.name)) {
      EXPECT_THAT(known, Contains(std::string(property.name)));
    }
  }
}

TEST(KafkaPropertiesTest, NothingOfConsumersIsInTheTable) {
  for (const auto& property : tests::librdkafka_properties()) {
    if (!property.is_for_producers) {
      EXPECT_EQ(find_kafka_property(property.name), nullptr) << property.name;
    }
  }
}

TEST(KafkaPropertiesTest, WhatNobodyDecidedAboutIsCounted) {
  // An unclassified property is refused as an unknown key. Once all are in the table this becomes
  // EXPECT_THAT(tests::unclassified_properties(), IsEmpty()).
  RecordProperty("unclassified", static_cast<int>(tests::unclassified_properties().size()));
  EXPECT_THAT(tests::unclassified_properties(), Not(Contains("linger.ms")));
  EXPECT_THAT(tests::unclassified_properties(), Each(Not(IsEmpty())));
}

}  // namespace
}  // namespace action_triggers::detail
