// TLS to a real RabbitMQ: what is verified, and what is refused.
#include <filesystem>

#include "live/support.hpp"

namespace action_triggers::tests {
namespace {

using testing::HasCode;
using ::testing::HasSubstr;
using testing::IsOk;
using ::testing::Not;

/// A private certificate authority, made with openssl, and TLS listeners of the private node that use it.
class TlsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new std::filesystem::path(run("mktemp -d /tmp/action_triggers_tls_XXXXXX | tr -d '\\n'"));
    in_folder("openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj '/CN=private CA' -keyout ca.key -out ca.pem");
    certificate("server", "DNS:localhost");
    certificate("elsewhere", "DNS:example.org");
    certificate("client", "DNS:client");
    in_folder(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost -addext subjectAltName=DNS:localhost "
        "-keyout selfsigned.key -out selfsigned.pem");
    // Valid for no time at all.
    in_folder(
        "openssl req -new -newkey rsa:2048 -nodes -subj /CN=localhost -keyout expired.key -out expired.csr && "
        "printf subjectAltName=DNS:localhost > ext && "
        "openssl x509 -req -in expired.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 0 -extfile ext -out "
        "expired.pem");
  }
  static void TearDownTestSuite() {
    std::filesystem::remove_all(*folder_);
    delete folder_;
  }

  static void in_folder(const std::string& command) { run("cd '" + folder_->string() + "' && (" + command + ")"); }
  static std::string path(const std::string& file) { return (*folder_ / file).string(); }
  static void certificate(const std::string& name, const std::string& alternative) {
    in_folder("openssl req -new -newkey rsa:2048 -nodes -subj /CN=" + name + " -keyout " + name + ".key -out " + name +
              ".csr && printf subjectAltName=" + alternative + " > ext && openssl x509 -req -in " + name +
              ".csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile ext -out " + name + ".pem");
  }

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

  static DeliveryReport fire(int port, const std::string& ssl, const std::string& queue,
                             const std::string& host = "localhost") {
    TriggerDispatcher dispatcher(config_with(broker(
        "b", "rabbitmq",
        R"("conn_details": {"host": ")" + host + R"(", "port": )" + std::to_string(port) + R"(, "ssl": )" + ssl + "}",
        R"("queue": ")" + queue + R"(", "declare": true, "timeout_secs": 20, "retry": {"max_attempts": 2})")));
    return dispatcher.fire("b", "over TLS").wait();
  }
  static std::string with_ca(const std::string& more = {}) {
    return R"({"ca_file": ")" + path("ca.pem") + "\"" + more + "}";
  }

  static inline std::filesystem::path* folder_ = nullptr;
  const std::string queue_ = unique("tls");
};

TEST_F(TlsTest, DeliversToAServerOfThePrivateAuthority) {
  EXPECT_THAT(fire(listen("server"), with_ca(), queue_), IsOk());
  const auto received = drain_queue(queue_);
  ASSERT_EQ(received.size(), 1U);
  EXPECT_EQ(received[0].body, "over TLS");
}

TEST_F(TlsTest, WithAClientsCertificate) {
  const int port = listen("server", "{verify, verify_peer}, {fail_if_no_peer_cert, true}");
  const std::string client =
      R"(, "cert_file": ")" + path("client.pem") + R"(", "key_file": ")" + path("client.key") + "\"";
  EXPECT_THAT(fire(port, with_ca(client), queue_), IsOk());
  EXPECT_THAT(fire(port, with_ca(), queue_), Not(IsOk()));
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

TEST_F(TlsTest, RefusesTls11) {
  const int port = listen("server", "{verify, verify_none}, {versions, [list_to_atom(\"tlsv1.1\")]}");
  const DeliveryReport report = fire(port, with_ca(), queue_);
  EXPECT_THAT(report, Not(IsOk()));
  EXPECT_EQ(report.persistence, Persistence::not_persisted);
}

TEST_F(TlsTest, PlaintextToATlsPortSaysSo) {
  TriggerDispatcher dispatcher(config_with(broker(
      "b", "rabbitmq", R"("conn_details": {"host": "localhost", "port": )" + std::to_string(listen("server")) + "}",
      R"("queue": "q", "retry": {"max_attempts": 1})")));
  EXPECT_THAT(dispatcher.fire("b", "x").wait(), HasCode(StatusCode::unavailable));
}

}  // namespace
}  // namespace action_triggers::tests
