// SPDX-License-Identifier: MIT
// What a RabbitMQ configuration becomes: declarations, the query of a URL, logins, TLS files. What is wrong with one is
// in config_problems_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "action_triggers/config.hpp"
#include "action_triggers/rabbitmq.hpp"
#include "unit/config_support.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using tests::Environment;
using tests::TemporaryFile;

Config parsed(const std::string& conn, const std::string& params = R"("queue": "q")") {
  return parse_config(R"({"brokers": {"b": {"broker_type": "rabbitmq", "conn_details": {)" + conn +
                      R"(}, "params": {)" + params + "}}}}");
}
RabbitMqConfig config(const std::string& conn, const std::string& params = R"("queue": "q")") {
  return *parsed(conn, params).find_as<RabbitMqConfig>("b");
}
RabbitMqExchangeDeclaration declared(const std::string& declare) {
  return *config("", R"("exchange": "e", "routing_key": "k", "declare": )" + declare).declare_exchange;
}
/// Key and text of each problem.
std::vector<std::pair<std::string, std::string>> problems(const std::string& conn) {
  std::vector<std::pair<std::string, std::string>> found;
  try {
    static_cast<void>(parsed(conn));
  } catch (const ConfigError& error) {
    for (const ConfigProblem& problem : error.problems()) found.emplace_back(problem.key, problem.text);
  }
  return found;
}

// What is declared

TEST(RabbitMqConfigTest, AnExchangeIsDeclaredDurableAndDirectUnlessTheFileSaysOtherwise) {
  EXPECT_EQ(declared("true"), RabbitMqExchangeDeclaration());
  EXPECT_EQ(declared("{}"), RabbitMqExchangeDeclaration());
  EXPECT_EQ(declared(R"({"type": "topic", "durable": false, "auto_delete": true,
                         "arguments": {"alternate-exchange": "other"}})"),
            (RabbitMqExchangeDeclaration{.type = "topic",
                                         .durable = false,
                                         .auto_delete = true,
                                         .arguments = {{"alternate-exchange", {"other"}}},
                                         .queues = {}}));
  EXPECT_EQ(declared(R"({"type": "x-consistent-hash"})").type, "x-consistent-hash");
  EXPECT_FALSE(config("", R"("exchange": "e", "routing_key": "k", "declare": false)").declare_exchange);
}

TEST(RabbitMqConfigTest, QueuesAreBoundByTheRoutingKeyUnlessTheFileSaysOtherwise) {
  const RabbitMqExchangeDeclaration exchange = declared(R"({"type": "topic", "queues": [
    "mails",
    {"queue": "audit", "type": "quorum"},
    {"queue": "all", "auto_delete": true, "durable": false,
     "bind": ["order.#", {"routing_key": "", "arguments": {"x-match": "any", "kind": 1}}, {}]},
    {"queue": "unbound", "bind": []}]})");
  const RabbitMqBinding usual{.routing_key = "k", .arguments = {}};
  RabbitMqBoundQueue audit{.queue = "audit", .declare = {}, .bindings = {usual}};
  audit.declare.queue_type = "quorum";
  RabbitMqBoundQueue all{
      .queue = "all",
      .declare = {},
      .bindings = {{"order.#", {}}, {"", {{"x-match", {"any"}}, {"kind", {1}}}}, usual},
  };
  all.declare.durable = false;
  all.declare.auto_delete = true;
  EXPECT_THAT(exchange.queues,
              ElementsAre(RabbitMqBoundQueue{.queue = "mails", .declare = {}, .bindings = {usual}}, audit, all,
                          RabbitMqBoundQueue{.queue = "unbound", .declare = {}, .bindings = {}}));
}

TEST(RabbitMqConfigTest, ArgumentsKeepTheirTypesAndTheirOrder) {
  const RabbitMqConfig c = config("", R"("queue": "q", "declare": {"auto_delete": true, "exclusive": false,
    "arguments": {"x-z": 1.5, "x-list": [1, "two", 3.0, false, [], {}], "x-table": {"b": {"c": ""}, "a": -1},
                  "x-text": "", "x-flag": true, "x-null": null}})");
  EXPECT_TRUE(c.declare->auto_delete);
  EXPECT_THAT(
      c.declare->arguments,
      ElementsAre(
          RabbitMqArgument{"x-z", {1.5}},
          RabbitMqArgument{"x-list", {RabbitMqList{{1}, {"two"}, {3.0}, {false}, {RabbitMqList{}}, {RabbitMqTable{}}}}},
          RabbitMqArgument{"x-table", {RabbitMqTable{{"b", {RabbitMqTable{{"c", {""}}}}}, {"a", {-1}}}}},
          RabbitMqArgument{"x-text", {""}}, RabbitMqArgument{"x-flag", {true}}));
}

TEST(RabbitMqConfigTest, WhatMayBeAFlagOrAnObjectMayComeFromAVariable) {
  const Environment yes("ACTION_TRIGGERS_TEST_SET", "true");
  const std::string variable = R"("${ACTION_TRIGGERS_TEST_SET}")";
  EXPECT_TRUE(config("\"ssl\": " + variable).tls);
  EXPECT_TRUE(config("", R"("queue": "q", "declare": )" + variable).declare);
  EXPECT_TRUE(config("", R"("exchange": "e", "routing_key": "", "declare": )" + variable).declare_exchange);
  const Environment no("ACTION_TRIGGERS_TEST_SET", "false");
  EXPECT_FALSE(config("\"ssl\": " + variable).tls);
  const Environment other("ACTION_TRIGGERS_TEST_SET", "yes");
  EXPECT_THAT(problems("\"ssl\": " + variable), ElementsAre(Pair("ssl", "The field 'ssl' must be true or false.")));
}

// Logins and URLs

TEST(RabbitMqConfigTest, AUrlsQuerySaysWhatFieldsSay) {
  const RabbitMqConfig c = config(
      R"("url": "amqps://localhost/v?heartbeat=5&connection_timeout=2500&verify=verify_peer&auth_mechanism=PLAIN)"
      R"(&server_name_indication=localhost")");
  EXPECT_EQ(c.virtual_host, "v");
  EXPECT_EQ(c.heartbeat, 5s);
  EXPECT_EQ(c.connect_timeout, 2500ms);
  EXPECT_EQ(c.auth_mechanism, RabbitMqAuthMechanism::plain);
  EXPECT_EQ(config(R"("url": "amqp://localhost?heartbeat=0")").virtual_host, "/");
  // What the query does not say may stand beside it.
  EXPECT_EQ(config(R"("url": "amqp://localhost?connection_timeout=1", "heartbeat": 7)").heartbeat, 7s);
}

TEST(RabbitMqConfigTest, AParameterOfASubstitutedUrlIsNotQuoted) {
  const Environment url("ACTION_TRIGGERS_TEST_SET", "amqps://localhost?s3cret=1");
  for (const auto& [key, text] : problems(R"("url": "${ACTION_TRIGGERS_TEST_SET}")")) {
    EXPECT_EQ(key, "url");
    EXPECT_THAT(text, HasSubstr("has a parameter that is not known here"));
  }
  const Environment file("ACTION_TRIGGERS_TEST_SET", "amqps://localhost?cacertfile=/nowhere/s3cret");
  EXPECT_THAT(problems(R"("url": "${ACTION_TRIGGERS_TEST_SET}")"),
              ElementsAre(Pair("url", "The file cannot be read: No such file or directory.")));
}

// Files. A private key is made here rather than kept in the repository.

class TlsFiles {
 public:
  explicit TlsFiles(const char* passphrase = nullptr)
      : key_(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"), EVP_PKEY_free),
        key_file_(pem_of_key(passphrase)),
        cert_file_(pem_of_certificate()) {}

  [[nodiscard]] std::string key() const { return key_file_.path.string(); }
  [[nodiscard]] std::string certificate() const { return cert_file_.path.string(); }

 private:
  static std::string written(const std::function<int(BIO*)>& write) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), BIO_free);
    if (write(memory.get()) != 1) throw std::runtime_error("OpenSSL cannot write it");
    char* begin = nullptr;
    const long size = BIO_get_mem_data(memory.get(), &begin);
    return {begin, static_cast<std::size_t>(size)};
  }
  [[nodiscard]] std::string pem_of_key(const char* passphrase) const {
    return written([&](BIO* to) {
      return PEM_write_bio_PKCS8PrivateKey(to, key_.get(), passphrase == nullptr ? nullptr : EVP_aes_256_cbc(),
                                           passphrase, passphrase == nullptr ? 0 : 6, nullptr, nullptr);
    });
  }
  [[nodiscard]] std::string pem_of_certificate() const {
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3'600);
    X509_set_pubkey(certificate.get(), key_.get());
    X509_sign(certificate.get(), key_.get(), EVP_sha256());
    return written([&](BIO* to) { return PEM_write_bio_X509(to, certificate.get()); });
  }

  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
  const TemporaryFile key_file_;
  const TemporaryFile cert_file_;
};

std::string ssl(const std::string& options) { return R"("host": "localhost", "ssl_options": {)" + options + "}"; }
std::string pair_of(const std::string& certificate, const std::string& key) {
  return R"("cert_file": ")" + certificate + R"(", "key_file": ")" + key + "\"";
}

TEST(RabbitMqConfigTest, ExternalTakesTheUserFromTheCertificate) {
  const TlsFiles files;
  const std::string options = ssl(pair_of(files.certificate(), files.key()));
  EXPECT_EQ(config(options + R"(, "auth_mechanism": "external")").auth_mechanism, RabbitMqAuthMechanism::external);
  EXPECT_NE(config(options + R"(, "auth_mechanism": "EXTERNAL")").connection_key, config(options).connection_key);
  const RabbitMqConfig by_url =
      config(R"("url": "amqps://localhost?auth_mechanism=external&certfile=)" + files.certificate() +
             "&keyfile=" + files.key() + "&cacertfile=" + files.certificate() + "\"");
  EXPECT_EQ(by_url.auth_mechanism, RabbitMqAuthMechanism::external);
  EXPECT_EQ(by_url.tls->ca_file, files.certificate());
  EXPECT_EQ(by_url.tls->cert_file, files.certificate());
  EXPECT_EQ(by_url.tls->key_file, files.key());
}

TEST(RabbitMqConfigTest, FilesThatCannotBeReadAreAProblem) {
  EXPECT_THAT(
      problems(ssl(R"("ca_file": "/nowhere/ca.pem", "certfile": "/nowhere/c.pem", "keyfile": "/")")),
      ElementsAre(Pair("ssl_options.ca_file", "The file '/nowhere/ca.pem' cannot be read: No such file or directory."),
                  Pair("ssl_options.certfile", "The file '/nowhere/c.pem' cannot be read: No such file or directory."),
                  Pair("ssl_options.keyfile", "The file '/' cannot be read: Is a directory.")));
}

TEST(RabbitMqConfigTest, FilesThatHoldSomethingElseAreAProblem) {
  const TlsFiles files;
  const TlsFiles other;
  const TlsFiles encrypted("secret");
  const TemporaryFile nothing("nothing of the kind");
  const std::string none = nothing.path.string();
  EXPECT_THAT(problems(ssl(R"("ca_file": ")" + none + "\"")),
              ElementsAre(Pair("ssl_options.ca_file", "The file '" + none + "' holds no certificate in PEM.")));
  EXPECT_THAT(problems(ssl(pair_of(none, files.key()))),
              ElementsAre(Pair("ssl_options.cert_file", "The file '" + none + "' holds no certificate in PEM.")));
  EXPECT_THAT(problems(ssl(pair_of(files.certificate(), none))),
              ElementsAre(Pair("ssl_options.key_file", "The file '" + none + "' holds no private key in PEM.")));
  EXPECT_THAT(problems(ssl(pair_of(files.certificate(), other.key()))),
              ElementsAre(Pair("ssl_options.key_file",
                               "The file '" + other.key() + "' holds another key than that of the certificate.")));
  EXPECT_THAT(problems(ssl(pair_of(encrypted.certificate(), encrypted.key()))),
              ElementsAre(Pair("ssl_options.key_file",
                               "The file '" + encrypted.key() +
                                   "' holds an encrypted key; give a key without a passphrase (openssl pkey), readable "
                                   "by this program only.")));
  EXPECT_THAT(problems(ssl(pair_of(files.certificate(), files.key()))), ElementsAre());
}

TEST(RabbitMqConfigTest, AFileNameThatWasSubstitutedIsNotQuoted) {
  const TlsFiles files;
  const TemporaryFile nothing("nothing of the kind");
  for (const std::string& path : {std::string("/nowhere/s3cret"), nothing.path.string()}) {
    const Environment set("ACTION_TRIGGERS_TEST_SET", path.c_str());
    const auto found = problems(ssl(pair_of(files.certificate(), "${ACTION_TRIGGERS_TEST_SET}")));
    ASSERT_EQ(found.size(), 1U);
    EXPECT_THAT(found[0].second, HasSubstr("The file "));
    EXPECT_THAT(found[0].second, Not(HasSubstr(path)));
  }
}

}  // namespace
}  // namespace action_triggers
