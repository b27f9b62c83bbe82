// SPDX-License-Identifier: MIT
// With the functions that rabbitmq-c calls when it connects.
#include "brokers/rabbitmq/tls_files.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace action_triggers::detail {
namespace {

/// OpenSSL keeps its errors for each thread: none is left to whoever asks next.
class Context {
 public:
  Context() : context_(SSL_CTX_new(TLS_client_method())) { ERR_clear_error(); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() {
    SSL_CTX_free(context_);
    ERR_clear_error();
  }

  /// nullptr: out of memory, which connecting will say.
  [[nodiscard]] SSL_CTX* get() const { return context_; }

 private:
  SSL_CTX* const context_;
};

constexpr const char* no_certificate = "holds no certificate in PEM";

}  // namespace

int refuse_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* was_asked) {
  *static_cast<bool*>(was_asked) = true;
  return -1;
}

std::string why_no_authorities(const std::string& ca_file) {
  const Context context;
  if (context.get() == nullptr) return {};
  return SSL_CTX_load_verify_locations(context.get(), ca_file.c_str(), nullptr) == 1 ? "" : no_certificate;
}

std::string why_no_certificate(const std::string& cert_file) {
  const Context context;
  if (context.get() == nullptr) return {};
  return SSL_CTX_use_certificate_chain_file(context.get(), cert_file.c_str()) == 1 ? "" : no_certificate;
}

std::string why_no_key(const std::string& key_file, const std::string& cert_file) {
  const Context context;
  if (context.get() == nullptr || SSL_CTX_use_certificate_chain_file(context.get(), cert_file.c_str()) != 1) return {};
  bool asks_for_passphrase = false;
  SSL_CTX_set_default_passwd_cb(context.get(), refuse_passphrase);
  SSL_CTX_set_default_passwd_cb_userdata(context.get(), &asks_for_passphrase);
  if (SSL_CTX_use_PrivateKey_file(context.get(), key_file.c_str(), SSL_FILETYPE_PEM) == 1) return {};
  if (asks_for_passphrase) {
    return "holds an encrypted key; give a key without a passphrase (openssl pkey), readable by this program only";
  }
  const auto error = ERR_peek_last_error();
  const bool differs = ERR_GET_LIB(error) == ERR_LIB_X509 && ERR_GET_REASON(error) == X509_R_KEY_VALUES_MISMATCH;
  return differs ? "holds another key than that of the certificate" : "holds no private key in PEM";
}

}  // namespace action_triggers::detail
