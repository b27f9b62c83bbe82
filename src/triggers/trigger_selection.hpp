// SPDX-License-Identifier: MIT
/// Which triggers an event may concern: by its name, and by the strings in its payload that their conditions want.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash_table.hpp"
#include "triggers/event_table.hpp"
#include "triggers/payload_json.hpp"
#include "triggers/trigger_config.hpp"

namespace action_triggers::detail {

/// Triggers of one pattern stand together in a bucket. There, those whose `when` wants one of some exact strings in a
/// field are found by the string that the payload has in that field: what an event costs does not depend on how many
/// triggers want another one. All others always are candidates. Of a candidate the whole `when` is to be evaluated.
///
/// Threads: many may find at once.
class TriggerSelection {
 public:
  /// Triggers have their place in `triggers` as their index.
  explicit TriggerSelection(const std::vector<const TriggerConfig*>& triggers);

  /// One event. Used again, it allocates nothing.
  struct Search {
    PayloadJson json{};                        // of the payload, if somebody has looked into it
    std::optional<bool> is_json{};             // what reading it said; nothing: nobody has looked
    std::span<const std::uint32_t> buckets{};  // of the patterns that match; empty: no trigger is for this name
    EventTable::Search patterns{};             // used by find()
    std::vector<std::uint32_t> triggers{};     // used by find()
    std::string text{};                        // used by find()
  };

  /// The candidates, ascending, each once; valid until the search is used again. No trigger is left out that matches,
  /// or whose `when` cannot be evaluated because the payload is not JSON. The payload is looked into only if the `when`
  /// of a trigger of this name does so as well.
  std::span<const std::uint32_t> find(std::string_view event, std::string_view payload, Search& search) const {
    search.is_json.reset();
    search.buckets = patterns_.find(event, search.patterns);
    if (search.buckets.size() == 1) {
      const Bucket& bucket = *buckets_[search.buckets.front()];
      if (bucket.selectors.empty()) return bucket.always;
    }
    return find_in_buckets(payload, search);
  }

  /// How many events had a name that this trigger is for, but did not make it a candidate.
  [[nodiscard]] std::uint64_t left_out(std::uint32_t trigger) const noexcept;

 private:
  struct Selector {
    std::vector<std::string> path;                    // names of members, from the payload down
    std::vector<std::uint32_t> triggers;              // all of them
    HashTable<std::vector<std::uint32_t>> by_string;  // under its hash: another string's triggers do no harm
  };
  struct Bucket {
    std::vector<std::uint32_t> always;
    std::vector<Selector> selectors;
    std::vector<std::uint32_t> triggers;  // all of them; only until the selectors are made
    mutable std::atomic<std::uint64_t> events{0};
  };
  struct Keys;

  std::span<const std::uint32_t> find_in_buckets(std::string_view payload, Search& search) const;
  void make_selectors(Bucket& bucket, const std::vector<const TriggerConfig*>& triggers);
  static void select(const Selector& selector, Search& search);
  static void select_strings(const Selector& selector, const PayloadJson::Value& value, std::size_t most,
                             Search& search);

  EventTable patterns_;  // lead to buckets
  std::vector<std::unique_ptr<Bucket>> buckets_;
  // Of each trigger that a selector has: its bucket, and how often it was a candidate.
  std::vector<const Bucket*> bucket_of_;
  std::unique_ptr<std::atomic<std::uint64_t>[]> selected_;
};

}  // namespace action_triggers::detail
