// SPDX-License-Identifier: MIT
// TLS to a real RabbitMQ: what is verified, and what is refused.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>

#include "live/certificates.hpp"
#include "live/old_tls_server.hpp"
#include "live/support.hpp"

namespace action_triggers::tests {
namespace {

using testing::HasCode;
using ::testing::HasSubstr;
using testing::IsOk;
using ::testing::Not;

/// TLS listeners of the private node.
class TlsTest : public ::testing::Test {
 protected:
  static std::string path(const std::string& file) { return Certificates::path(file); }

  /// A TLS listener with this certificate; its port.
  static int listen(const std::string& name, const std::string& more = "{verify, verify_none}") {
    const std::string options = "[{cacertfile, \"" + path("ca.pem") + "\"}, {certfile, \"" + path(name + ".pem") +
                                "\"}, {keyfile, \"" + path(name + ".key") + "\"}, " + more + "]";
    // RabbitMQ 3.12 and later count connection supervisors too.
    const std::string said = Servers::rabbitmqctl(
        "eval 'rabbit_networking:ensure_ssl(), {ok, S} = gen_tcp:listen(0, [{ip, {127,0,0,1}}]), {ok, Port} = "
        "inet:port(S), gen_tcp:close(S), L = {{127,0,0,1}, Port, inet}, O = " +
        options +
        ", ok = case erlang:function_exported(rabbit_networking, start_ssl_listener, 4) of true -> "
        "rabbit_networking:start_ssl_listener({\"127.0.0.1\", Port}, O, 2, 1); false -> "
        "rabbit_networking:start_ssl_listener({\"127.0.0.1\", Port}, O, 2) end, element(2, L).'");
    return std::stoi(said);
  }

  static Config config_to(int port, const std::string& ssl, const std::string& queue,
                          const std::string& host = "localhost") {
    return config_with(broker(
        "b", "rabbitmq",
        R"("conn_details": {"host": ")" + host + R"(", "port": )" + std::to_string(port) + R"(, "ssl": )" + ssl + "}",
        R"("queue": ")" + queue + R"(", "declare": true, "timeout_secs": 20, "retry": {"max_attempts": 2})"));
  }
  static DeliveryReport fire(int port, const std::string& ssl, const std::string& queue,
                             const std::string& host = "localhost") {
    TriggerDispatcher dispatcher(config_to(port, ssl, queue, host));
    return dispatcher.fire("b", "over TLS").wait();
  }
  static std::string with_ca(const std::string& more = {}) {
    return R"({"ca_file": ")" + path("ca.pem") + "\"" + more + "}";
  }

  const std::string queue_ = unique("tls");
};

TEST_F(TlsTest, DeliversToAServerOfThePrivateAuthority) {
  EXPECT_THAT(fire(listen("server"), with_ca(), queue_), IsOk());
  const auto received = drain_queue(queue_);
  ASSERT_EQ(received.size(), 1U);
  EXPECT_EQ(received[0].body, "over TLS");
}

TEST_F(TlsTest, BodiesOfEverySizeArriveInOrder) {
  TriggerDispatcher dispatcher(
      config_with(broker("b", "rabbitmq",
                         R"("conn_details": {"host": "localhost", "port": )" + std::to_string(listen("server")) +
                             R"(, "ssl": )" + with_ca() + "}",
                         R"("queue": ")" + queue_ + R"(", "declare": true)")));
  std::vector<std::string> bodies;
  for (std::size_t size :
       {0UL, 1UL, 16'384UL, 32'000UL, 131'063UL, 131'064UL, 131'065UL, 300'000UL, 2'000'000UL, 7UL}) {
    bodies.emplace_back(size, static_cast<char>('a' + bodies.size()));
  }
  for (const std::string& body : bodies) dispatcher.fire("b", body);
  ASSERT_TRUE(dispatcher.flush(60s));
  const auto received = drain_queue(queue_);
  ASSERT_EQ(received.size(), bodies.size());
  for (std::size_t i = 0; i < bodies.size(); ++i) EXPECT_TRUE(received[i].body == bodies[i]) << i;
}

TEST_F(TlsTest, WhileTheBrokerBlocksPublishersALargeMessageWaits) {
  TriggerDispatcher dispatcher(
      config_with(broker("b", "rabbitmq",
                         R"("conn_details": {"host": "localhost", "port": )" + std::to_string(listen("server")) +
                             R"(, "heartbeat": 1, "ssl": )" + with_ca() + "}",
                         // More time than rabbitmqctl takes on a busy machine.
                         R"("queue": ")" + queue_ + R"(", "declare": true, "timeout_secs": 300)")));
  ASSERT_THAT(dispatcher.fire("b", "before").wait(), IsOk());
  Servers::rabbitmqctl("-q set_vm_memory_high_watermark 0");
  const Delivery large = dispatcher.fire("b", std::string(60'000'000, 'x'));
  EXPECT_EQ(large.wait_for(6s), nullptr);
  EXPECT_EQ(dispatcher.stats().brokers.at("b").state, ConnectionState::blocked);
  Servers::rabbitmqctl("-q set_vm_memory_high_watermark 0.6");
  EXPECT_THAT(large.wait(), IsOk());
  EXPECT_EQ(large.wait().attempts, 1U) << "the connection was kept";
}

TEST_F(TlsTest, ABrokerThatReadsNothingHoldsUpNothing) {
  TriggerDispatcher dispatcher(
      config_with(broker("b", "rabbitmq",
                         R"("conn_details": {"host": "localhost", "port": )" + std::to_string(listen("server")) +
                             R"(, "ssl": )" + with_ca() + "}",
                         R"("queue": ")" + queue_ + R"(", "declare": true, "timeout_secs": 1)")));
  ASSERT_THAT(dispatcher.fire("b", "before").wait(), IsOk());
  const int broker = std::stoi(Servers::variable("AT_RABBITMQ_PID"));
  ASSERT_EQ(::kill(broker, SIGSTOP), 0);
  const auto began = std::chrono::steady_clock::now();
  const DeliveryReport report = dispatcher.fire("b", std::string(60'000'000, 'x')).wait();
  const auto took = std::chrono::steady_clock::now() - began;
  EXPECT_EQ(::kill(broker, SIGCONT), 0);
  EXPECT_THAT(report, HasCode(StatusCode::timed_out));
  EXPECT_LT(took, 20s) << "half written or not, the deadline is kept";
  EXPECT_TRUE(dispatcher.close(5s).complete());
}

TEST_F(TlsTest, WithAClientsCertificate) {
  const int port = listen("server", "{verify, verify_peer}, {fail_if_no_peer_cert, true}");
  const std::string client =
      R"(, "cert_file": ")" + path("client.pem") + R"(", "key_file": ")" + path("client.key") + "\"";
  EXPECT_THAT(fire(port, with_ca(client), queue_), IsOk());
  EXPECT_THAT(fire(port, with_ca(), queue_), Not(IsOk()));
}

/// Logins by certificate, as a plugin of the broker offers them.
class ExternalTest : public TlsTest {
 protected:
  void SetUp() override {
    Servers::rabbitmqctl(
        "-q eval '{ok, F} = application:get_env(rabbit, enabled_plugins_file), ok = file:write_file(F, "
        "\"[rabbitmq_auth_mechanism_ssl].\"), rabbit_plugins:ensure(F), application:set_env(rabbit, "
        "ssl_cert_login_from, common_name), application:set_env(rabbit, ssl_options, [{verify, verify_peer}]).'");
  }
  void TearDown() override {
    offer("'PLAIN', 'AMQPLAIN'");
    Servers::rabbitmqctl("-q eval 'application:set_env(rabbit, ssl_options, []).'");
  }

  static void offer(const std::string& mechanisms) {
    Servers::rabbitmqctl("-q eval \"application:set_env(rabbit, auth_mechanisms, [" + mechanisms + "]).\"");
  }
  static int listen_to_clients() { return listen("server", "{verify, verify_peer}, {fail_if_no_peer_cert, true}"); }
  [[nodiscard]] DeliveryReport fire_as(int port, const std::string& certificate) const {
    const std::string url = "amqps://localhost:" + std::to_string(port) + "?auth_mechanism=external&heartbeat=5" +
                            "&verify=verify_peer&cacertfile=" + path("ca.pem") +
                            "&certfile=" + path(certificate + ".pem") + "&keyfile=" + path(certificate + ".key");
    TriggerDispatcher dispatcher(
        config_with(broker("b", "rabbitmq", R"("conn_details": {"url": ")" + url + "\"}",
                           R"("queue": ")" + queue_ + R"(", "declare": true, "retry": {"max_attempts": 2})")));
    return dispatcher.fire("b", "from a certificate").wait();
  }
};

TEST_F(ExternalTest, TheCertificateSaysWhoItIs) {
  const int port = listen_to_clients();
  offer("'PLAIN'");
  const DeliveryReport missing = fire_as(port, "client");
  EXPECT_THAT(missing, HasCode(StatusCode::unauthenticated));
  EXPECT_THAT(missing.status.message(), HasSubstr("does not offer the mechanism EXTERNAL: enable "));
  offer("'PLAIN', 'EXTERNAL'");
  Servers::rabbitmqctl("-q add_user client a-password-that-nobody-needs");
  Servers::rabbitmqctl("-q set_permissions client '.*' '.*' '.*'");
  EXPECT_THAT(fire_as(port, "client"), IsOk());
  Servers::rabbitmqctl("-q delete_user client");
  EXPECT_EQ(drain_queue(queue_).size(), 1U);
  const DeliveryReport nobody = fire_as(port, "elsewhere");
  EXPECT_THAT(nobody, HasCode(StatusCode::unauthenticated));
  EXPECT_THAT(nobody.status.message(), HasSubstr("refused the client's certificate"));
  EXPECT_THAT(nobody.status.message(), HasSubstr("has to be a user there"));
}

TEST_F(ExternalTest, ABrokerThatTakesCertificatesOnlySaysSo) {
  offer("'EXTERNAL'");
  const DeliveryReport report = fire(
      listen_to_clients(),
      with_ca(R"(, "cert_file": ")" + path("client.pem") + R"(", "key_file": ")" + path("client.key") + "\""), queue_);
  EXPECT_THAT(report, HasCode(StatusCode::unauthenticated));
  EXPECT_THAT(report.status.message(), HasSubstr("does not offer the mechanism PLAIN"));
}

TEST_F(TlsTest, RefusesWhatCannotBeVerified) {
  struct Case {
    std::string what;
    int port;
    std::string ssl;
    std::string host = "localhost";
  };
  for (const Case& refused : {Case{"another host's certificate", listen("elsewhere"), with_ca()},
                              Case{"an expired certificate", listen("expired"), with_ca()},
                              Case{"a self-signed certificate", listen("selfsigned"), with_ca()},
                              Case{"an authority that the system does not know", listen("server"), "true"}}) {
    const DeliveryReport report = fire(refused.port, refused.ssl, queue_, refused.host);
    EXPECT_THAT(report, HasCode(StatusCode::unavailable)) << refused.what;  // another host may be better
    EXPECT_EQ(report.persistence, Persistence::not_persisted);
    EXPECT_THAT(report.status.message(), HasSubstr("certificate was refused")) << refused.what;
  }
}

TEST_F(TlsTest, AnAddressIsVerifiedToo) {
  EXPECT_THAT(fire(listen("address"), with_ca(), queue_, "127.0.0.1"), IsOk());
  const DeliveryReport report = fire(listen("server"), with_ca(), queue_, "127.0.0.1");
  EXPECT_THAT(report, HasCode(StatusCode::unavailable));
  EXPECT_THAT(report.status.message(), HasSubstr("IP address mismatch"));
}

/// The server has two certificates, and shows the right one to those who ask for localhost.
TEST_F(TlsTest, AsksForTheNameThatItWasGiven) {
  const int port = listen("elsewhere", "{verify, verify_none}, {sni_hosts, [{\"localhost\", [{certfile, \"" +
                                           path("server.pem") + "\"}, {keyfile, \"" + path("server.key") + "\"}]}]}");
  EXPECT_THAT(fire(port, with_ca(), queue_), IsOk()) << "although rabbitmq-c knows the address only";
}

TEST_F(TlsTest, SaysWhyACertificateIsRefused) {
  EXPECT_THAT(fire(listen("elsewhere"), with_ca(), queue_).status.message(), HasSubstr("not for the name localhost"));
  EXPECT_THAT(fire(listen("expired"), with_ca(), queue_).status.message(), HasSubstr("certificate has expired"));
  const DeliveryReport report = fire(listen("selfsigned"), with_ca(), queue_);
  EXPECT_THAT(report.status.message(), HasSubstr("self-signed certificate"));
  EXPECT_THAT(report.status.message(), HasSubstr(path("ca.pem")));
}

/// OpenSSL asks for the passphrase on the terminal, or reads a line of standard input, unless it is told not to.
TEST_F(TlsTest, AKeyWithAPassphraseIsRefusedAndNobodyIsAsked) {
  const int port = listen("server");
  std::array<int, 2> input{};
  ASSERT_EQ(::pipe2(input.data(), O_CLOEXEC), 0);
  ASSERT_EQ(::write(input[1], "secret\n", 7), 7);
  const int before = ::dup(STDIN_FILENO);
  ASSERT_EQ(::dup2(input[0], STDIN_FILENO), STDIN_FILENO);
  // Loading finds an encrypted key; this one is encrypted afterwards.
  const std::string key = path("replaced.key");
  std::filesystem::copy_file(path("client.key"), key, std::filesystem::copy_options::overwrite_existing);
  const Config config =
      config_to(port, with_ca(R"(, "cert_file": ")" + path("client.pem") + R"(", "key_file": ")" + key + "\""), queue_);
  std::filesystem::copy_file(path("encrypted.key"), key, std::filesystem::copy_options::overwrite_existing);
  TriggerDispatcher dispatcher(config);
  const DeliveryReport report = dispatcher.fire("b", "over TLS").wait();
  ::dup2(before, STDIN_FILENO);
  EXPECT_THAT(report, HasCode(StatusCode::invalid_argument));
  EXPECT_THAT(report.status.message(), HasSubstr("key_file is encrypted: " + key));
  std::array<char, 7> left{};
  EXPECT_EQ(::read(input[0], left.data(), left.size()), 7) << "the application's line is still there";
  for (const int fd : {before, input[0], input[1]}) ::close(fd);
}

TEST_F(TlsTest, RefusesTls11) {
  const OldTlsServer old;
  const DeliveryReport report = fire(old.port(), with_ca(), queue_);
  EXPECT_THAT(report, HasCode(StatusCode::unavailable));
  EXPECT_EQ(report.persistence, Persistence::not_persisted);
  EXPECT_THAT(report.status.message(), HasSubstr("SSL"));
}

TEST_F(TlsTest, PlaintextToATlsPortSaysSo) {
  TriggerDispatcher dispatcher(config_with(broker(
      "b", "rabbitmq", R"("conn_details": {"host": "localhost", "port": )" + std::to_string(listen("server")) + "}",
      R"("queue": "q", "retry": {"max_attempts": 1})")));
  const DeliveryReport report = dispatcher.fire("b", "x").wait();
  EXPECT_THAT(report, HasCode(StatusCode::unavailable));
  EXPECT_THAT(report.status.message(), HasSubstr("without TLS"));
}

}  // namespace
}  // namespace action_triggers::tests
