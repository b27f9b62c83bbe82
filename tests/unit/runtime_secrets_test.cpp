// SPDX-License-Identifier: MIT
// What a placeholder stands for shows at run time only where an operator needs its name: every text of the library is
// searched, for a value at every place of the tables, at servers that are unreachable, refuse or fail.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/config.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "support/kafka_lane.hpp"
#include "support/mock_cluster.hpp"
#include "support/refusing_kafka_server.hpp"
#include "support/scripted_amqp_server.hpp"
#include "support/temporary_folder.hpp"
#include "unit/config_places.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
using namespace tests;

const std::string marker = "s3cretmarker";
const std::string of_message = marker + "message";

/// What may show, and why; the last word says which part of the value it is. SECURITY.md has it in a sentence.
const std::map<std::string, std::string> may_show{
    {"kafka bootstrap_servers", "an operator looks for the server that cannot be reached"},
    {"kafka bootstrap.servers", "the same"},
    {"kafka topic", "it is missing, or may not be written to"},
    {"kafka ssl_cafile", "it does not have the authority"},
    {"rabbitmq host", "an operator looks for the server that cannot be reached"},
    {"rabbitmq hosts", "the same"},
    {"rabbitmq url host", "the same"},
    {"rabbitmq queue", "it is missing, or may not be written to"},
    {"rabbitmq exchange", "the same"},
    {"rabbitmq routing_key", "no queue is bound with it, or the user may not use it"},
    {"rabbitmq virtual_host", "the broker's answers say in which one a queue is missing"},
    {"rabbitmq virtualhost", "the same"},
    {"rabbitmq url vhost", "the same"},
    {"rabbitmq ssl_options ca_file", "it does not have the authority"},
    {"rabbitmq ssl ca_file", "the same"},
    {"rabbitmq ssl_options files", "they do not fit each other"},
    {"rabbitmq ssl files", "the same"},
    {"rabbitmq declare", "the broker's answers say which argument a queue already has otherwise"},
};

/// What may show in librdkafka's own log besides, if `debug` asks for that.
const std::map<std::string, std::string> may_show_in_debug{
    {"kafka client_id", "each client introduces itself by it"},
    {"kafka client.id", "the same"},
    {"kafka ssl_certfile", "it says which file it reads"},
    {"kafka ssl_keyfile", "the same"},
    {"kafka ssl.ca.location", "the same"},
    {"kafka ssl.certificate.location", "the same"},
    {"kafka ssl.crl.location", "the same"},
    {"kafka ssl.key.location", "the same"},
    {"kafka ssl.keystore.location", "the same"},
};

// A certificate of its own for localhost, its key, and the key again under the password that is `marker` + "password".
constexpr const char* certificate = R"(-----BEGIN CERTIFICATE-----
MIIBljCCATugAwIBAgIUGE0AO6Vhy5ojgg+yG7poLE6C96MwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNjA3NTgxNFoYDzIxMjYxMTAy
MDc1ODE0WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASXrfTwo+i8gkUIJGqpr8iDr/VMFAZbaRXLE2+Dy1Q5f0iTU3NMLCGb
Ixsqbojw4JbEm4UiQ+yqZsCaft8AX07Mo2kwZzAdBgNVHQ4EFgQUP+70ln4vArpf
sdVZV8725n2yo+4wHwYDVR0jBBgwFoAUP+70ln4vArpfsdVZV8725n2yo+4wDwYD
VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
SQAwRgIhAPM6RQwnT6pDLehfj5MmPcXI/8CqqqAWulVNo6c1ZVAMAiEAwMfy5/KU
YHkRy2LuxB79Z171IAomn6bAZeDXU452CZU=
-----END CERTIFICATE-----
)";
constexpr const char* private_key = R"(-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIGtUXLjeCBpJ76O8U0/tSBsF4ueTPC0ieZvQY8h5G32RoAoGCCqGSM49
AwEHoUQDQgAEl6308KPovIJFCCRqqa/Ig6/1TBQGW2kVyxNvg8tUOX9Ik1NzTCwh
myMbKm6I8OCWxJuFIkPsqmbAmn7fAF9OzA==
-----END EC PRIVATE KEY-----
)";
constexpr const char* encrypted_key = R"(-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHrMFYGCSqGSIb3DQEFDTBJMCgGCSqGSIb3DQEFDDAbBAgaug3GoOdp+QIBATAM
BggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQ7AJqYL98OWHNqV+MBJz26QSBkHu4
dXMUiT/64qflY3EEKFFWWCUeG3RX1K2X0KFPLIS2S45MyZacWlB3rJU5tgiON1sG
0T9bIEuXYTMdiJSnIqutBdg7ON8VKja+jea5QaqiI8fidVRfHF95NaxuOtAnRRqA
9NCOruDhP4YSjTQLHKD8M7HUc4EpNWIhOdhR+LJVr1laq5V/OKdzeNVrdeDLcA==
-----END ENCRYPTED PRIVATE KEY-----
)";

/// The keys of a section, with their values as JSON.
using Section = std::map<std::string, std::string>;

/// A server, and a destination that is right but for it.
struct Scene {
  std::string name;
  std::string type;
  std::string server;  // host:port
  Section conn_details;
  Section params;
};

/// A value for a place: JSON in which %M is the placeholder; `part` says which part of the value that is.
struct Candidate {
  std::string json;
  std::string part;
};

class Folder : private tests::TemporaryFolder {
 public:
  Folder() {
    write("certificate.pem", certificate);
    write("key.pem", private_key);
    write("encrypted.pem", encrypted_key);
  }
  void write(const std::string& name, const std::string& content) const { std::ofstream(file(name)) << content; }

  using tests::TemporaryFolder::file;
};

std::string quoted(const std::string& text) { return '"' + text + '"'; }

/// What is tried at every place, until one is the whole value and loads.
std::vector<Candidate> candidates(const Scene& scene, const Folder& folder) {
  const std::string pem = folder.file("%M.pem");
  const std::string other = quoted(folder.file("certificate.pem"));
  const std::string other_key = quoted(folder.file("key.pem"));
  return {{R"("%M")", ""},
          {R"(["%M"])", ""},
          {R"("amqp://%M:pw@)" + scene.server + R"(/")", "user"},
          {R"("amqp://guest:%M@)" + scene.server + R"(/")", "password"},
          {R"("amqp://guest:pw@)" + scene.server + R"(/%M")", "vhost"},
          {R"("amqp://guest:pw@%M:1/")", "host"},
          {R"({"ca_file": ")" + pem + R"("})", "ca_file"},
          {R"({"ca_file": )" + other + R"(, "cert_file": ")" + pem + R"(", "key_file": )" + other_key + "}", "files"},
          {R"({"ca_file": )" + other + R"(, "cert_file": )" + other + R"(, "key_file": ")" + pem + R"("})", "files"},
          {R"({"source": "/%M", "type": "%M", "subject": "%M", "extensions": {"x": "%M"}})", ""},
          {R"({"arguments": {"x-dead-letter-exchange": "%M", "x-mine": "%M"}})", ""},
          {quoted(pem), ""},
          {R"("%Mpassword")", ""},
          {R"("-----BEGIN CERTIFICATE-----%M")", ""}};
}

/// Everything that a program can be told of its dispatcher.
class Said {
 public:
  void add(const std::string& destination, std::string_view text) {
    const std::lock_guard lock(mutex_);
    all_.push_back(destination + ": " + std::string(text));
  }
  DispatcherOptions options() {
    DispatcherOptions options;
    options.log = [this](LogLevel, std::string_view component, std::string_view text) {
      add("log of " + std::string(component), text);
    };
    options.on_failure = [this](const DeliveryReport& report) {
      add("on_failure " + report.broker, report.status.message());
    };
    return options;
  }
  [[nodiscard]] const std::vector<std::string>& all() const { return all_; }

 private:
  std::mutex mutex_;
  std::vector<std::string> all_;
};

std::vector<Message> messages() {
  const std::string is_long(300, 'x');
  return {{.body = of_message,
           .key = of_message,
           .headers = {{"h", of_message}},
           .content_type = of_message,
           .properties = Properties{.type = of_message, .correlation_id = of_message, .reply_to = of_message}},
          {.body = of_message, .headers = {{"h", of_message, HeaderType::integer}, {"", of_message}}},
          {.body = of_message, .headers = {{"CC", of_message}}, .properties = Properties{.type = of_message + is_long}},
          {.body = of_message, .key = of_message + is_long, .content_type = of_message + is_long},
          {.body = of_message + std::string(2'000'000, 'x')}};
}

/// A destination that loads, with a marker of its own at one place.
struct Tried {
  std::string place;  // as may_show calls it
  std::shared_ptr<const BrokerConfig> config;
};

std::string json_of(const Section& section) {
  std::string json;
  for (const auto& [name, value] : section) json += (json.empty() ? "{\"" : ", \"") + name + "\": " + value;
  return json.empty() ? "{}" : json + "}";
}

/// The section, and what remains of it without one key or without all.
std::vector<Section> with_less_and_less(const Section& section) {
  std::vector<Section> all{section};
  for (const auto& [name, value] : section) {
    all.push_back(section);
    all.back().erase(name);
  }
  all.emplace_back();
  return all;
}

class RuntimeSecretsTest : public ::testing::Test {
 protected:
  std::vector<Tried> load(const Scene& scene) {
    std::vector<Tried> loaded;
    for (const Place& place : places(registry_)) {
      if (place.type != scene.type || !may_be_given(place)) continue;
      for (const Candidate& candidate : candidates(scene, folder_)) {
        const bool is_password = candidate.json.find("%Mpassword") != std::string::npos;
        if (is_password && place.key.find("password") == std::string::npos) continue;
        auto config = load(scene, place, candidate);
        if (!config) continue;
        loaded.push_back({name_of(place, candidate), std::move(config)});
        if (candidate.part.empty()) break;  // as good as any other
      }
    }
    return loaded;
  }

  /// Fires at all of them, pings them, and searches what is said.
  void run(const Scene& scene) {
    const std::vector<Tried> all = load(scene);
    EXPECT_FALSE(all.empty());
    constexpr std::size_t at_once = 12;  // the servers speak to one after the other
    for (std::size_t begin = 0; begin < all.size(); begin += at_once) {
      Config config;
      for (std::size_t i = begin; i < std::min(begin + at_once, all.size()); ++i) {
        config.brokers.emplace(all[i].config->name, all[i].config);
      }
      Said said;
      converse(config, said);
      for (const std::string& line : said.all()) check(scene, line);
    }
  }

  [[nodiscard]] const Folder& folder() const { return folder_; }

 private:
  static std::string name_of(const Place& place, const Candidate& candidate) {
    return place.type + " " + place.key + (candidate.part.empty() ? "" : " " + candidate.part);
  }

  static bool may_be_given(const Place& place) {
    const detail::KafkaProperty* property =
        place.type == "kafka" && place.section == "conn_details" ? detail::find_kafka_property(place.key) : nullptr;
    return property == nullptr || property->rule != detail::KafkaPropertyRule::refused;
  }

  /// If need be, without other keys that it does not go with. nullptr: it never loads.
  std::shared_ptr<const BrokerConfig> load(const Scene& scene, const Place& place, const Candidate& candidate) {
    const bool is_param = place.section == "params";
    for (Section changed : with_less_and_less(is_param ? scene.params : scene.conn_details)) {
      changed[place.key] = candidate.json;
      if (place.key == "exchange") changed["routing_key"] = R"("r")";
      if (place.key == "cloudevents") changed["envelope"] = R"("cloudevents_structured")";
      if (place.key == "routing_key") changed["exchange"] = R"("e")";
      auto config = parse(scene, is_param ? scene.conn_details : changed, is_param ? changed : scene.params);
      if (config) {
        places_[config->name] = name_of(place, candidate);
        return config;
      }
      if (!was_refused_for_another_key()) return nullptr;
    }
    return nullptr;
  }

  [[nodiscard]] bool was_refused_for_another_key() const {
    const auto says = [&](const char* part) { return refusal_.find(part) != std::string::npos; };
    return says("give one of them") || says("not both") || says("goes with");
  }

  /// The destination is called as what follows the marker.
  std::shared_ptr<const BrokerConfig> parse(const Scene& scene, const Section& conn, const Section& params) {
    const std::string conn_json = json_of(conn);
    const bool is_password = conn_json.find("%Mpassword") != std::string::npos;
    const std::string name = is_password ? "password" : std::to_string(10'000'000 + ++count_);
    const std::string value = is_password ? marker : marker + name;
    std::string text = R"({"brokers": {")" + name + R"(": {"broker_type": ")" + scene.type + R"(", "conn_details": )" +
                       conn_json + R"(, "params": )" + json_of(params) + "}}}";
    if (text.find("%M.pem") != std::string::npos) folder_.write(value + ".pem", std::string(certificate) + private_key);
    for (std::size_t at = 0; (at = text.find("%M")) != std::string::npos;) text.replace(at, 2, "${is:" + value + "}");
    const ConfigOptions options{.resolvers = {{"is", [](std::string_view argument) { return std::string(argument); }}}};
    try {
      return parse_config(text, registry_, options).brokers.at(name);
    } catch (const ConfigError& error) {
      refusal_ = error.what();  // which quotes nothing: SubstitutedSecretsTest
      return nullptr;
    }
  }

  void converse(const Config& config, Said& said) {
    try {
      TriggerDispatcher dispatcher(config, registry_, said.options());
      std::vector<Delivery> deliveries;
      for (const auto& [name, broker] : config.brokers) {
        for (const Message& message : messages()) deliveries.push_back(dispatcher.fire(name, message));
      }
      for (const Delivery& delivery : deliveries) said.add(delivery.wait().broker, delivery.wait().status.to_string());
      for (const auto& [name, stats] : dispatcher.stats().brokers) said.add(name, stats.last_error);
    } catch (const std::exception& error) {
      said.add("exception", error.what());
    }
    std::vector<std::future<void>> pings;
    for (const auto& [name, broker] : config.brokers) {
      const BrokerType& type = *registry_.find(broker->broker_type);
      if (!type.ping) continue;
      pings.push_back(std::async(std::launch::async, [&said, &type, &pinged = *broker] {
        const PingReport report = type.ping(pinged, {.timeout = 500ms, .send = true});
        said.add("ping of " + pinged.name, report.status.to_string() + report.detail);
      }));
    }
  }

  void check(const Scene& scene, const std::string& line) {
    EXPECT_EQ(line.find(of_message), std::string::npos) << scene.name << ": " << line;
    for (std::size_t at = 0; (at = line.find(marker, at)) != std::string::npos; at += marker.size()) {
      const auto found = places_.find(line.substr(at + marker.size(), 8));
      const std::string place = found == places_.end() ? "an unknown place" : found->second;
      const bool is_debug = scene.conn_details.contains("debug") && line.starts_with("log of ");
      EXPECT_TRUE(may_show.contains(place) || (is_debug && may_show_in_debug.contains(place)))
          << scene.name << ", " << place << ": " << line;
    }
  }

  const BrokerRegistry registry_ = BrokerRegistry::builtin();
  const Folder folder_;
  std::map<std::string, std::string> places_;  // by what follows the marker there
  std::size_t count_ = 0;
  std::string refusal_;  // of what did not load last
};

// -----------------------------------------------------------------------------------------------------------------
// scenes

constexpr const char* nobody = "127.0.0.1:1";

Scene rabbitmq(const std::string& name, const std::string& server) {
  const std::string port = server.substr(server.find(':') + 1);
  return {name,
          "rabbitmq",
          server,
          {{"host", R"("127.0.0.1")"}, {"port", port}, {"connect_timeout", "0.3"}},
          {{"queue", R"("q")"}, {"timeout_secs", "0.5"}, {"retry", R"({"initial_backoff_ms": 50})"}}};
}

Scene kafka(const std::string& name, const std::string& server) {
  return {name,
          "kafka",
          server,
          {{"bootstrap_servers", quoted(server)}},
          {{"topic", R"("t")"}, {"timeout_secs", "0.5"}, {"retry", R"({"initial_backoff_ms": 50})"}}};
}

Scene with_login(Scene scene) {
  scene.conn_details.insert({{"security_protocol", R"("SASL_PLAINTEXT")"},
                             {"sasl_mechanism", R"("PLAIN")"},
                             {"sasl_plain_username", R"("u")"},
                             {"sasl_plain_password", R"("p")"}});
  return scene;
}

Scene with_tls(Scene scene, const Folder& folder) {
  const auto file = [&](const char* name) { return quoted(folder.file(name)); };
  scene.conn_details.insert({{"security_protocol", R"("SSL")"},
                             {"ssl_cafile", file("certificate.pem")},
                             {"ssl_certfile", file("certificate.pem")},
                             {"ssl_keyfile", file("encrypted.pem")},
                             {"ssl_password", quoted(marker + "password")}});
  return scene;
}

/// The user's name, of the client's answer to connection.start.
std::string user_in(const AmqpPeer::Frame& start_ok) {
  const std::size_t begin = start_ok.payload.find("PLAIN") + 5 + 4 + 1;
  return start_ok.payload.substr(begin, start_ok.payload.find('\0', begin) - begin);
}

std::string closed(const std::string& text, int code) {
  return short_number(static_cast<std::uint16_t>(code)) + short_string(text) + short_number(0) + short_number(0);
}

/// Speaks as RabbitMQ does to a user who may not log in, or not use the virtual host, or not publish.
ScriptedAmqpServer::Script refuse(const std::string& what) {
  return [what](AmqpPeer& peer) {
    peer.read_protocol_header();
    peer.write(start_method());
    const std::string user = user_in(peer.read_frame());
    const std::string refused = "refused for user '" + user + "'";
    if (what == "login") {
      peer.write(method(0, connection_close,
                        closed("ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN.", 403)));
      peer.read_frame();
      return;
    }
    peer.write(method(0, connection_tune, short_number(2'047) + long_number(131'072) + short_number(0)));
    peer.read_frame();  // tune-ok
    peer.read_frame();  // open
    if (what == "vhost") {
      peer.write(method(0, connection_close, closed("NOT_ALLOWED - access to vhost '/' " + refused, 530)));
      peer.read_frame();
      return;
    }
    peer.write(method(0, connection_open_ok, short_string("")));
    const std::uint16_t channel = peer.next_header();
    peer.write(method(channel, channel_close, closed("ACCESS_REFUSED - access to exchange 'e' " + refused, 403)));
    peer.read_frame();
  };
}

/// librdkafka's log at its most talkative.
Scene with_debug(Scene scene) {
  scene.name += ", with librdkafka's log";
  scene.conn_details.insert({{"debug", R"("all")"}, {"log_level", "7"}});
  return scene;
}

/// A field of the tables that can hold no text of its own: it is one of a few.
bool is_choice(const Place& place) {
  static const std::set<std::string> choices{"acks",    "auth_mechanism", "compression_type",  "partitioner",
                                             "retry",   "sasl_mechanism", "security_protocol", "overflow",
                                             "on_dead", "durability",     "envelope"};
  return choices.contains(place.key);
}

TEST_F(RuntimeSecretsTest, EveryTextOfTheTablesIsTried) {
  std::set<std::string> tried;
  for (const Scene& scene : {rabbitmq("", nobody), kafka("", nobody), with_login(kafka("", nobody)),
                             with_tls(kafka("", nobody), folder()), Scene{"", "memory", nobody, {}, {}}}) {
    for (const Tried& one : load(scene))
      tried.insert(one.place.substr(0, one.place.find(' ', one.place.find(' ') + 1)));
  }
  const BrokerRegistry registry = BrokerRegistry::builtin();
  for (const std::string& type : registry.types()) {
    std::vector<const FieldInfo*> fields = registry.find(type)->fields();
    for (const FieldInfo* common : detail::common_fields()) fields.push_back(common);
    for (const FieldInfo* field : fields) {
      const std::string key = field->key.substr(0, field->key.find('.'));
      const bool may_be_text =
          field->type.find("str") != std::string::npos || field->type.find("dict") != std::string::npos;
      if (!may_be_text || is_choice({type, std::string(field->section), key})) continue;
      EXPECT_TRUE(tried.contains(type + " " + key)) << "no value of candidates() fits " << type << "'s " << key;
    }
  }
}

TEST_F(RuntimeSecretsTest, NothingListens) {
  run(rabbitmq("refused port", nobody));
  run(kafka("refused port", nobody));
  run({"memory", "memory", nobody, {}, {}});
}

TEST_F(RuntimeSecretsTest, RabbitMqRefuses) {
  for (const char* what : {"login", "vhost", "channel"}) {
    const ScriptedAmqpServer server(refuse(what));
    run(rabbitmq(what, "127.0.0.1:" + std::to_string(server.port())));
  }
}

TEST_F(RuntimeSecretsTest, RabbitMqSpeaksNoTls) {
  const ScriptedAmqpServer server([](AmqpPeer& peer) { peer.write(start_method()); });
  Scene scene = rabbitmq("no TLS", "127.0.0.1:" + std::to_string(server.port()));
  scene.conn_details["ssl"] = "true";
  run(scene);
}

TEST_F(RuntimeSecretsTest, KafkaRefusesLogins) {
  RefusingKafkaServer server;
  server.begin_to_answer();
  run(with_login(kafka("login refused", server.bootstrap())));
  run(with_debug(with_login(kafka("login refused", server.bootstrap()))));
  server.cut_logins();
  run(with_login(kafka("login cut", server.bootstrap())));
}

TEST_F(RuntimeSecretsTest, KafkaSpeaksNoTls) {
  RefusingKafkaServer server;
  server.begin_to_answer();
  run(with_tls(kafka("no TLS", server.bootstrap()), folder()));
  run(with_debug(with_tls(kafka("no TLS", server.bootstrap()), folder())));
}

TEST_F(RuntimeSecretsTest, KafkaRefusesMessages) {
  MockCluster cluster;
  const std::string server = cluster.bootstrap().substr(0, cluster.bootstrap().find(','));
  std::vector<rd_kafka_resp_err_t> errors;
  for (int i = 0; i < 300; ++i) {
    for (const auto error : {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_INVALID_RECORD,
                             RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS}) {
      errors.push_back(error);
    }
  }
  cluster.fail_produce(errors);
  run(kafka("messages refused", server));
  run(with_debug(kafka("messages refused", server)));
}

}  // namespace
}  // namespace action_triggers
