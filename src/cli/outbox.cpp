// SPDX-License-Identifier: MIT
// action-triggers outbox schema|install|status|verify: the tables of the outbox.
#include <algorithm>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/outbox_driver_of.hpp"
#include "cli/output.hpp"
#include "config/problem_line.hpp"

namespace action_triggers::cli {
namespace {

using detail::OutboxState;

std::string rows_text(std::uint64_t rows) { return std::to_string(rows) + (rows == 1 ? " row" : " rows"); }

nlohmann::json json_of(const std::optional<std::chrono::milliseconds>& time) {
  return time ? nlohmann::json(static_cast<double>(time->count()) / 1000) : nlohmann::json();
}

nlohmann::json json_of(const OutboxState& state) {
  nlohmann::json shards = nlohmann::json::array();
  for (const OutboxState::Shard& shard : state.shards) {
    shards.push_back({{"shard", shard.shard},
                      {"owner", shard.owner},
                      {"place", shard.place},
                      {"epoch", shard.epoch},
                      {"expires_in_secs", json_of(shard.expires_in)},
                      {"deaths", shard.deaths},
                      {"rows", shard.rows},
                      {"oldest_age_secs", json_of(shard.oldest_age)}});
  }
  nlohmann::json targets = nlohmann::json::object();
  for (const OutboxState::Target& target : state.targets) targets[target.target] = target.rows;
  return {{"shards", shards}, {"targets", targets}, {"dead", state.dead}, {"warnings", state.warnings}};
}

bool has_run_out(const OutboxState::Shard& shard) { return shard.expires_in && shard.expires_in->count() < 0; }
bool is_ownerless(const OutboxState::Shard& shard) { return shard.owner.empty() || has_run_out(shard); }

/// Who sends the rows of a shard.
void print_owner(const OutboxState::Shard& shard) {
  const std::string owner = detail::printable(shard.place.empty() ? shard.owner : shard.place);
  if (owner.empty()) {
    std::cout << ", nobody sends them";
  } else if (has_run_out(shard)) {
    std::cout << ", nobody sends them: the lease of " << owner << " ran out "
              << detail::seconds_text(-*shard.expires_in) << " ago";
  } else {
    std::cout << ", sent by " << owner << ", epoch " << shard.epoch;
    if (shard.expires_in) std::cout << ", for " << detail::seconds_text(*shard.expires_in) << " at least";
  }
}

void print(const OutboxState& state) {
  for (const OutboxState::Shard& shard : state.shards) {
    std::cout << "shard " << shard.shard << "  " << rows_text(shard.rows);
    if (shard.oldest_age) std::cout << ", the oldest of " << detail::seconds_text(*shard.oldest_age) << " ago";
    print_owner(shard);
    if (shard.deaths > 0) std::cout << ", " << shard.deaths << " of its owners have died at the same row";
    std::cout << '\n';
  }
  for (const OutboxState::Target& target : state.targets) {
    std::cout << "  " << detail::printable(target.target) << "  " << rows_text(target.rows) << '\n';
  }
  std::cout << "dead letters  " << state.dead << '\n';
  for (const std::string& warning : state.warnings) std::cout << "warning: " << detail::printable(warning) << '\n';
}

ExitCode report(const std::vector<std::string>& problems, bool json) {
  if (json) {
    std::cout << dump({{"ok", problems.empty()}, {"problems", problems}}) << '\n';
  } else if (problems.empty()) {
    std::cout << "the tables are as they should be\n";
  } else {
    for (const std::string& problem : problems) std::cout << detail::printable(problem) << '\n';
  }
  return problems.empty() ? ExitCode::success : ExitCode::failure;
}

}  // namespace

ExitCode outbox(const OutboxOptions& options) {
  const OutboxOfFile of = load_outbox(options.file, options.json);
  if (of.settings == nullptr) return of.exit_code;
  if (options.action == "schema") {
    std::cout << of.driver->schema(*of.settings);
    return ExitCode::success;
  }
  const auto admin = of.driver->admin(*of.settings);
  if (options.action == "verify") return report(admin->verify(), options.json);
  if (options.action == "install") {
    admin->install();
    const std::vector<std::string> problems = admin->verify();  // it leaves what is there as it is
    if (!problems.empty()) return report(problems, options.json);
    std::cout << (options.json ? "{\"ok\":true}\n" : "the tables are there\n");
    return ExitCode::success;
  }
  OutboxState state = admin->state();
  for (OutboxState::Shard& shard : state.shards) {  // its clock was ahead when the row was written
    if (shard.oldest_age) shard.oldest_age = std::max(*shard.oldest_age, std::chrono::milliseconds(0));
  }
  if (std::any_of(state.shards.begin(), state.shards.end(), is_ownerless)) {
    const std::vector<std::string> why = admin->verify();  // what relays may refuse the tables for
    state.warnings.insert(state.warnings.end(), why.begin(), why.end());
  }
  if (options.json) {
    std::cout << dump(json_of(state)) << '\n';
  } else {
    print(state);
  }
  return ExitCode::success;
}

}  // namespace action_triggers::cli
