// SPDX-License-Identifier: MIT
/// A private certificate authority, made with openssl, and certificates good and bad.
#pragma once

#include <string>

namespace action_triggers::tests {

/// They live as long as the servers that use them, in the servers' folder: ca.pem; NAME.pem, NAME.key and
/// NAME.keystore.pem (both in one) for server (localhost), address
/// (127.0.0.1), elsewhere (example.org), expired, selfsigned and client; encrypted.key is the client's with a
/// passphrase.
class Certificates {
 public:
  /// The path of a file; the first call makes all of them.
  static std::string path(const std::string& file);
};

}  // namespace action_triggers::tests
