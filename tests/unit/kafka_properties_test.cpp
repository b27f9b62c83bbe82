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
using ::testing::IsEmpty;

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

TEST(KafkaPropertiesTest, KerberosIsRefusedWhole) {
  // librdkafka runs a shell command for it, and quotes none of what it puts in there.
  for (const KafkaProperty& property : kafka_properties()) {
    if (property.name.starts_with("sasl.kerberos.")) {
      EXPECT_EQ(property.rule, KafkaPropertyRule::refused) << property.name;
    }
  }
}

TEST(KafkaPropertiesTest, PasswordsAndPrivateKeysAreSecret) {
  for (const KafkaProperty& property : kafka_properties()) {
    if (property.rule == KafkaPropertyRule::refused) continue;  // and so not even read
    bool holds_secret = property.name == "ssl.key.pem";
    for (const char* part : {"password", "passphrase", "secret"}) {
      holds_secret = holds_secret || property.name.find(part) != std::string_view::npos;
    }
    EXPECT_EQ(holds_secret, property.rule == KafkaPropertyRule::secret) << property.name;
  }
}

TEST(KafkaPropertiesTest, AreSpelledAsLibrdkafkaSpellsThem) {
  std::set<std::string> known = tests::documented_properties();
  for (const auto& property : tests::librdkafka_properties()) known.insert(property.name);
  for (const KafkaProperty& property : kafka_properties()) {
    EXPECT_THAT(known, Contains(std::string(property.name)));
  }
}

TEST(KafkaPropertiesTest, NothingOfConsumersIsInTheTable) {
  for (const auto& property : tests::librdkafka_properties()) {
    if (!property.is_for_producers) {
      EXPECT_EQ(find_kafka_property(property.name), nullptr) << property.name;
    }
  }
}

TEST(KafkaPropertiesTest, EveryPropertyIsDecidedAbout) {
  // A version of librdkafka brought these. What is not in the table is refused as an unknown key. Look at what the
  // property does; if in doubt, it is refused(), and the reason stands beside it.
  EXPECT_THAT(tests::unclassified_properties(), IsEmpty());
}

}  // namespace
}  // namespace action_triggers::detail
