// SPDX-License-Identifier: MIT
/// Whether OpenSSL can use the files of a RabbitMqTls. With the backend only.
#pragma once

#include <string>

namespace action_triggers::detail {

/// OpenSSL's callback for a key with a passphrase: gives none, and sets the bool at `was_asked`. Without one, OpenSSL
/// would ask the terminal.
int refuse_passphrase(char* buffer, int size, int writing, void* was_asked);

// Why it cannot, as what follows "The file": "holds no certificate in PEM". Empty: it can. An expired certificate is
// not wrong: the clock may be.

std::string why_no_authorities(const std::string& ca_file);
std::string why_no_certificate(const std::string& cert_file);
/// Asks for no passphrase. Says nothing if the certificate is none.
std::string why_no_key(const std::string& key_file, const std::string& cert_file);

}  // namespace action_triggers::detail
