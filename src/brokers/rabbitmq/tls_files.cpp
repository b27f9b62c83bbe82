// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/tls_files.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>

namespace action_triggers::detail {
namespace {

struct ContextDeleter {
  void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
};

int refuse_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* was_asked) {
  *static_cast<bool*>(was_asked) = true;
  return -1;
}

/// With the functions that rabbitmq-c calls when it connects.
std::optional<WrongTlsFile> find_wrong_file(const RabbitMqTls& tls, SSL_CTX* context) {
  if (!tls.ca_file.empty() && SSL_CTX_load_verify_locations(context, tls.ca_file.c_str(), nullptr) != 1) {
    return WrongTlsFile{&TlsFileKeys::ca_file, &RabbitMqTls::ca_file, "holds no certificate in PEM"};
  }
  if (tls.cert_file.empty() || tls.key_file.empty()) return std::nullopt;
  if (SSL_CTX_use_certificate_chain_file(context, tls.cert_file.c_str()) != 1) {
    return WrongTlsFile{&TlsFileKeys::cert_file, &RabbitMqTls::cert_file, "holds no certificate in PEM"};
  }
  bool asks_for_passphrase = false;
  SSL_CTX_set_default_passwd_cb(context, refuse_passphrase);
  SSL_CTX_set_default_passwd_cb_userdata(context, &asks_for_passphrase);
  ERR_clear_error();
  if (SSL_CTX_use_PrivateKey_file(context, tls.key_file.c_str(), SSL_FILETYPE_PEM) == 1) return std::nullopt;
  WrongTlsFile wrong{&TlsFileKeys::key_file, &RabbitMqTls::key_file, "holds no private key in PEM"};
  if (asks_for_passphrase) {
    wrong.why = "holds an encrypted key; give a key without a passphrase (openssl pkey), readable by this program only";
  } else if (const auto error = ERR_peek_last_error();
             ERR_GET_LIB(error) == ERR_LIB_X509 && ERR_GET_REASON(error) == X509_R_KEY_VALUES_MISMATCH) {
    wrong.why = "holds another key than that of the certificate";
  }
  return wrong;
}

}  // namespace

std::optional<WrongTlsFile> wrong_tls_file(const RabbitMqTls& tls) {
  const std::unique_ptr<SSL_CTX, ContextDeleter> context(SSL_CTX_new(TLS_client_method()));
  if (!context) return std::nullopt;  // out of memory: connecting will say so
  auto wrong = find_wrong_file(tls, context.get());
  ERR_clear_error();
  return wrong;
}

}  // namespace action_triggers::detail
