// SPDX-License-Identifier: MIT
/// What a user is told who connects to another machine without TLS.
#pragma once

#include <string_view>

#include "action_triggers/config_section.hpp"

namespace action_triggers::detail {

/// For a connection without TLS: unless `host` is this machine, records at conn_details.`key` that messages and
/// credentials go to it in plain text; a problem with settings.require_tls, else a warning. The text names the host as
/// `shown`, unless the key's value came from a substitution. Returns whether it recorded something.
bool report_plaintext(BrokerSection& section, std::string_view key, std::string_view host, std::string_view shown);

}  // namespace action_triggers::detail
