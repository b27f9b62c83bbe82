// SPDX-License-Identifier: MIT
// action-triggers dead list|show|count|replay|drop|export: the messages of the outbox that were given up.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/utf8.hpp"
#include "cli/commands.hpp"
#include "cli/interrupts.hpp"
#include "cli/outbox_driver_of.hpp"
#include "cli/output.hpp"
#include "config/problem_line.hpp"

namespace action_triggers::cli {
namespace {

using detail::DeadFilter;
using detail::DeadLetter;

constexpr std::size_t letters_a_batch = 500;
constexpr std::size_t letters_in_a_list = 100;

DeadFilter filter_of(const DeadOptions& options) {
  DeadFilter filter;
  filter.destination = options.destination;
  filter.status = options.status;
  filter.key = options.key;
  filter.text = options.match;
  if (options.older_secs) filter.older_than = std::chrono::seconds(*options.older_secs);
  filter.id = options.id;
  return filter;
}

bool has_filter(const DeadOptions& options) {
  return options.destination || options.status || options.key || options.match || options.older_secs || options.id;
}

std::string time_text(std::chrono::sys_time<std::chrono::microseconds> time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(time));
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32] = {};
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = detail::utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += digits[byte >> 4U];
    text += digits[byte & 15U];
  }
  return text;
}

/// `NAME`, or `NAME_hex` of what is no text.
void add_bytes(nlohmann::json& json, const std::string& name, const std::string& bytes) {
  if (is_utf8(bytes)) {
    json[name] = bytes;
  } else {
    json[name + "_hex"] = hex(bytes);
  }
}

/// A column that is JSON, or what stands there instead.
nlohmann::json parsed(const std::string& text) {
  nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  return json.is_discarded() ? nlohmann::json(text) : json;
}

nlohmann::json json_of(const DeadLetter& letter) {
  nlohmann::json json{{"id", letter.id},
                      {"destination", letter.destination},
                      {"target", letter.target},
                      {"status", letter.status},
                      {"text", letter.text},
                      {"attempts", letter.attempts},
                      {"replayed", letter.replayed},
                      {"died_at", time_text(letter.died_at)},
                      {"created_at", time_text(letter.created_at)}};
  if (letter.message_id) json["message_id"] = *letter.message_id;
  if (letter.content_type) json["content_type"] = *letter.content_type;
  if (letter.headers) json["headers"] = parsed(*letter.headers);
  if (letter.properties) json["properties"] = parsed(*letter.properties);
  if (letter.key) add_bytes(json, "key", *letter.key);
  add_bytes(json, "body", letter.body);
  return json;
}

void print_line(const DeadLetter& letter) {
  std::string why = letter.status + (letter.text.empty() ? "" : ": " + letter.text);
  std::cout << letter.id << "  " << time_text(letter.died_at) << "  " << detail::printable(letter.destination) << "  "
            << detail::printable(why) << "  id=" << detail::printable(letter.message_id.value_or(""))
            << "  attempts=" << letter.attempts;
  if (letter.replayed > 0) std::cout << "  replayed=" << letter.replayed;
  std::cout << '\n';
}

ExitCode list(detail::OutboxAdmin& admin, const DeadOptions& options) {
  DeadFilter filter = filter_of(options);
  filter.limit = options.limit.value_or(letters_in_a_list);
  const std::vector<DeadLetter> letters = admin.dead(filter);
  if (options.json) {
    nlohmann::json all = nlohmann::json::array();
    for (const DeadLetter& letter : letters) all.push_back(json_of(letter));
    std::cout << dump(all) << '\n';
    return ExitCode::success;
  }
  for (const DeadLetter& letter : letters) print_line(letter);
  const std::uint64_t all = admin.count_dead(filter_of(options));
  if (all > letters.size()) std::cout << "… " << letters.size() << " of " << all << "; --limit shows more\n";
  if (all == 0) std::cout << "no dead letters\n";
  return ExitCode::success;
}

ExitCode show(detail::OutboxAdmin& admin, const DeadOptions& options) {
  if (!options.id) {
    std::cerr << "show needs --id, as list has it\n";
    return ExitCode::wrong_usage;
  }
  const std::vector<DeadLetter> letters = admin.dead(filter_of(options));
  if (letters.empty()) {
    std::cerr << "there is no dead letter " << *options.id << "; dead list has their ids\n";
    return ExitCode::failure;
  }
  const nlohmann::json json = json_of(letters.front());
  std::cout << (options.json ? dump(json) : json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace)) << '\n';
  return ExitCode::success;
}

/// All that match, a line each, oldest first.
ExitCode export_all(detail::OutboxAdmin& admin, const DeadOptions& options) {
  DeadFilter filter = filter_of(options);
  filter.limit = options.limit.value_or(0);
  for (const DeadLetter& letter : admin.dead(filter)) std::cout << dump(json_of(letter)) << '\n';
  return ExitCode::success;
}

void print_count(const DeadOptions& options, const char* what, std::uint64_t count) {
  if (options.json) {
    std::cout << dump({{what, count}}) << '\n';
  } else {
    std::cout << count << ' ' << what << '\n';
  }
}

/// In batches, each a transaction. What dies again meanwhile is not replayed twice: at most as many are moved as there
/// were at the beginning, oldest first.
ExitCode replay(detail::OutboxAdmin& admin, const DeadOptions& options) {
  std::uint64_t left = admin.count_dead(filter_of(options));
  if (options.limit) left = std::min<std::uint64_t>(left, *options.limit);
  if (options.dry_run) {
    print_count(options, "would be replayed", left);
    return ExitCode::success;
  }
  const Interrupts interrupts([] {});
  const auto begin = std::chrono::steady_clock::now();
  std::uint64_t moved = 0;
  while (left > 0 && interrupts.signal() == 0) {
    DeadFilter filter = filter_of(options);
    filter.limit = std::min<std::uint64_t>(left, letters_a_batch);
    if (options.rate) filter.limit = std::min(filter.limit, static_cast<std::size_t>(std::ceil(*options.rate / 10)));
    const std::uint64_t now = admin.replay(filter);
    if (now == 0) break;  // somebody else has taken the rest
    moved += now;
    left -= std::min(left, now);
    if (options.rate && left > 0) {
      const std::chrono::duration<double> due(static_cast<double>(moved) / *options.rate);
      interrupts.wait_until(begin + std::chrono::duration_cast<std::chrono::nanoseconds>(due));
    }
  }
  print_count(options, "replayed", moved);
  if (interrupts.signal() == 0) return ExitCode::success;
  std::cerr << "action-triggers: ended by " << interrupts.name() << ", " << left << " are left\n";
  return ended_by(interrupts.signal());
}

ExitCode drop(detail::OutboxAdmin& admin, const DeadOptions& options) {
  if (!has_filter(options) && !options.all) {
    std::cerr << "drop needs --all, or an option that says which ones\n";
    return ExitCode::wrong_usage;
  }
  DeadFilter filter = filter_of(options);
  filter.limit = options.limit.value_or(0);
  if (options.dry_run) {
    std::uint64_t count = admin.count_dead(filter);
    if (options.limit) count = std::min<std::uint64_t>(count, *options.limit);
    print_count(options, "would be dropped", count);
  } else {
    print_count(options, "dropped", admin.drop(filter));
  }
  return ExitCode::success;
}

}  // namespace

ExitCode dead(const DeadOptions& options) {
  const OutboxOfFile of = load_outbox(options.file, options.json);
  if (of.settings == nullptr) return of.exit_code;
  const auto admin = of.driver->admin(*of.settings);
  if (options.action == "list") return list(*admin, options);
  if (options.action == "show") return show(*admin, options);
  if (options.action == "replay") return replay(*admin, options);
  if (options.action == "drop") return drop(*admin, options);
  if (options.action == "export") return export_all(*admin, options);
  print_count(options, "dead letters", admin->count_dead(filter_of(options)));
  return ExitCode::success;
}

}  // namespace action_triggers::cli
