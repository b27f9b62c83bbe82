// SPDX-License-Identifier: MIT
/// Whether OpenSSL can use the files of a RabbitMqTls. With the backend only.
#pragma once

#include <optional>
#include <string>

#include "action_triggers/rabbitmq.hpp"
#include "brokers/rabbitmq/rabbitmq_parse.hpp"

namespace action_triggers::detail {

/// The first file that is wrong.
struct WrongTlsFile {
  std::string TlsFileKeys::*key;
  std::string RabbitMqTls::*file;
  std::string why;  ///< "holds no certificate in PEM": what follows "The file".
};

/// Asks for no passphrase. An expired certificate is not wrong: the clock may be.
std::optional<WrongTlsFile> wrong_tls_file(const RabbitMqTls& tls);

}  // namespace action_triggers::detail
