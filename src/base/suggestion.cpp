// SPDX-License-Identifier: MIT
// Edit distance, and the suggestion made with it: for unknown keys (SectionReader), broker types, references, and the
// command's names and options. What is known is what the asker passes.
#include "base/suggestion.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

#include "base/text.hpp"

namespace action_triggers::detail {
namespace {

/// Letters inserted, dropped, replaced or swapped with their neighbour (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(last.begin(), last.end(), 0U);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

/// What one word differs in when it is written as others write it: BootstrapServers, bootstrap-servers.
std::string squashed(std::string_view word) {
  std::string result = ascii_lower(word);
  std::erase_if(result, [](char c) { return c == '_' || c == '-' || c == '.' || c == ' '; });
  return result;
}

/// What other programs call a field. The first of ours that is known where the word stands is meant.
constexpr std::array<std::pair<std::string_view, std::string_view>, 57> synonyms{{
    {"address", "host"},
    {"addresses", "hosts"},
    {"attempts", "max_attempts"},
    {"bindings", "bind"},
    {"bootstrap", "bootstrap_servers"},
    {"brokers", "bootstrap_servers"},
    {"ca", "ca_file"},
    {"ca", "ssl_cafile"},
    {"cacert", "ca_file"},
    {"cacert", "ssl_cafile"},
    {"cacertfile", "ca_file"},
    {"cafile", "ssl_cafile"},
    {"cert", "cert_file"},
    {"cert", "ssl_certfile"},
    {"certfile", "ssl_certfile"},
    {"clientname", "connection_name"},
    {"clientprovidedname", "connection_name"},
    {"compression", "compression_type"},
    {"connectionstring", "url"},
    {"deliverymode", "persistent"},
    {"dsn", "url"},
    {"exchangename", "exchange"},
    {"heartbeatinterval", "heartbeat"},
    {"hostname", "host"},
    {"key", "key_file"},
    {"key", "routing_key"},
    {"keyfile", "ssl_keyfile"},
    {"maxretries", "max_attempts"},
    {"messagettl", "expiration_ms"},
    {"name", "queue"},
    {"pass", "password"},
    {"pass", "sasl_plain_password"},
    {"passwd", "password"},
    {"password", "sasl_plain_password"},
    {"protocol", "security_protocol"},
    {"pwd", "password"},
    {"pwd", "sasl_plain_password"},
    {"queuename", "queue"},
    {"requestedheartbeat", "heartbeat"},
    {"retries", "max_attempts"},
    {"saslpassword", "sasl_plain_password"},
    {"saslusername", "sasl_plain_username"},
    {"server", "host"},
    {"servers", "bootstrap_servers"},
    {"servers", "hosts"},
    {"timeout", "timeout_secs"},
    {"sslenabled", "ssl"},
    {"tls", "ssl"},
    {"topicname", "topic"},
    {"ttl", "expiration_ms"},
    {"uri", "url"},
    {"user", "sasl_plain_username"},
    {"user", "username"},
    {"username", "sasl_plain_username"},
    {"usessl", "ssl"},
    {"vhost", "virtual_host"},
}};

/// The name that is meant; nullptr: nobody knows.
const std::string* meant(std::string_view wrong, const std::set<std::string, std::less<>>& known) {
  const std::string word = squashed(wrong);
  for (const std::string& name : known) {
    if (squashed(name) == word) return &name;
  }
  for (const auto& [other, ours] : synonyms) {
    const auto found = other == word ? known.find(ours) : known.end();
    if (found != known.end()) return &*found;
  }
  const std::string* best = nullptr;
  std::size_t best_distance = std::max<std::size_t>(1, wrong.size() / 3) + 1;
  for (const std::string& name : known) {
    const std::size_t shorter = std::min(wrong.size(), name.size());
    const std::size_t longer = std::max(wrong.size(), name.size());
    if (longer - shorter >= best_distance) continue;  // at least as far as that: no need to look
    if (const std::size_t distance = edit_distance(wrong, name); distance < best_distance) {
      best = &name;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace

std::string did_you_mean(std::string_view wrong, const std::set<std::string, std::less<>>& known) {
  const std::string* name = wrong.empty() ? nullptr : meant(wrong, known);
  return name == nullptr ? std::string() : "Did you mean '" + *name + "'?";
}

std::string suggestion(std::string_view wrong, const std::set<std::string, std::less<>>& known) {
  if (std::string question = did_you_mean(wrong, known); !question.empty()) return question;
  std::string all;
  for (const std::string& name : known) all += (all.empty() ? "" : ", ") + name;
  return all.empty() ? "None is known here." : "Known: " + all + ".";
}

}  // namespace action_triggers::detail
