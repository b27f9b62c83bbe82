// SPDX-License-Identifier: MIT
#include "triggers/trigger_selection.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

namespace action_triggers::detail {
namespace {

using Path = std::vector<std::string>;
using Value = PayloadJson::Value;

/// So few triggers are evaluated as fast as they are looked up.
constexpr std::size_t too_few_to_select = 3;

/// A field that a condition wants to be one of some strings.
struct Key {
  Path path;
  const std::vector<Matcher>* strings = nullptr;
};

bool are_strings(const std::vector<Matcher>& matchers) {
  return !matchers.empty() && std::all_of(matchers.begin(), matchers.end(),
                                          [](const Matcher& matcher) { return matcher.kind == Matcher::Kind::text; });
}

/// All keys of a condition. What is said inside `$or` and `$not` need not hold; and a part of a path that may be a
/// number in a list leads to another value there.
void add_keys(const Condition::Field& field, Path& path, std::vector<Key>& keys) {
  if (are_strings(field.matchers)) keys.push_back({path, &field.matchers});
  for (const Condition::Field& inner : field.fields) {
    if (inner.index) continue;
    path.push_back(inner.key);
    add_keys(inner, path, keys);
    path.pop_back();
  }
}

std::vector<Key> keys_of(const TriggerConfig& trigger) {
  std::vector<Key> keys;
  Path path;
  // An event that matches several patterns is one event, which several buckets would count.
  if (trigger.when && trigger.events.size() == 1) add_keys(trigger.when->root(), path, keys);
  return keys;
}

constexpr auto whichever = [](const auto& /*value*/) { return true; };

}  // namespace

/// What the triggers of one bucket can be found by.
struct TriggerSelection::Keys {
  std::vector<std::vector<Key>> of_trigger;             // in the order of the bucket
  std::map<Path, std::set<std::string_view>> by_field;  // the first string that each trigger wants there

  /// The one whose field tells most triggers apart; nullptr: the trigger has none.
  [[nodiscard]] const Key* best_of(std::size_t trigger) const {
    const std::vector<Key>& keys = of_trigger[trigger];
    const auto best = std::max_element(keys.begin(), keys.end(), [&](const Key& one, const Key& other) {
      return by_field.at(one.path).size() < by_field.at(other.path).size();
    });
    return best == keys.end() ? nullptr : &*best;
  }
};

TriggerSelection::TriggerSelection(const std::vector<const TriggerConfig*>& triggers)
    : bucket_of_(triggers.size()), selected_(std::make_unique<std::atomic<std::uint64_t>[]>(triggers.size())) {
  std::unordered_map<std::string_view, std::uint32_t> bucket_of_pattern;
  for (std::uint32_t index = 0; index < triggers.size(); ++index) {
    for (const std::string& pattern : triggers[index]->events) {
      const auto [place, is_new] = bucket_of_pattern.emplace(pattern, static_cast<std::uint32_t>(buckets_.size()));
      if (is_new) {
        patterns_.add(pattern, place->second);
        buckets_.push_back(std::make_unique<Bucket>());
      }
      std::vector<std::uint32_t>& all = buckets_[place->second]->triggers;
      if (all.empty() || all.back() != index) all.push_back(index);  // a pattern may be listed twice
    }
  }
  for (const auto& bucket : buckets_) {
    make_selectors(*bucket, triggers);
    bucket->triggers = {};
  }
}

void TriggerSelection::make_selectors(Bucket& bucket, const std::vector<const TriggerConfig*>& triggers) {
  Keys keys;
  if (bucket.triggers.size() > too_few_to_select) {
    for (const std::uint32_t index : bucket.triggers) {
      for (const Key& key : keys.of_trigger.emplace_back(keys_of(*triggers[index]))) {
        keys.by_field[key.path].insert(key.strings->front().text);
      }
    }
  }
  std::map<Path, std::vector<std::size_t>> by_path;  // places in the bucket
  for (std::size_t i = 0; i < keys.of_trigger.size(); ++i) {
    if (const Key* const key = keys.best_of(i)) by_path[key->path].push_back(i);
  }
  for (const auto& [path, places] : by_path) {
    if (places.size() <= too_few_to_select) continue;
    Selector& selector = bucket.selectors.emplace_back();
    selector.path = path;
    for (const std::size_t place : places) {
      const std::uint32_t index = bucket.triggers[place];
      bucket_of_[index] = &bucket;
      selector.triggers.push_back(index);
      for (const Matcher& matcher : *keys.best_of(place)->strings) {
        const std::uint64_t hash = hash_of(matcher.text);
        std::vector<std::uint32_t>* found = selector.by_string.find(hash, whichever);
        if (found == nullptr) found = &selector.by_string.add(hash, {});
        if (found->empty() || found->back() != index) found->push_back(index);
      }
    }
  }
  for (const std::uint32_t index : bucket.triggers) {
    if (bucket_of_[index] == nullptr) bucket.always.push_back(index);
  }
}

std::span<const std::uint32_t> TriggerSelection::find_in_buckets(std::string_view payload, Search& search) const {
  std::vector<std::uint32_t>& found = search.triggers;
  found.clear();
  for (const std::uint32_t number : search.buckets) {
    const Bucket& bucket = *buckets_[number];
    found.insert(found.end(), bucket.always.begin(), bucket.always.end());
    if (bucket.selectors.empty()) continue;
    if (!search.is_json) search.is_json = search.json.read(payload);
    bucket.events.fetch_add(1, std::memory_order_relaxed);
    for (const Selector& selector : bucket.selectors) select(selector, search);
  }
  if (found.size() > 1) {
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
  }
  for (const std::uint32_t trigger : found) {
    // Released, so that who sees it sees the bucket's event as well.
    if (bucket_of_[trigger] != nullptr) selected_[trigger].fetch_add(1, std::memory_order_release);
  }
  return found;
}

void TriggerSelection::select(const Selector& selector, Search& search) {
  std::vector<std::uint32_t>& found = search.triggers;
  const auto take_all = [&] { found.insert(found.end(), selector.triggers.begin(), selector.triggers.end()); };
  if (search.is_json == false) return take_all();
  std::optional<Value> value = search.json.root();
  for (const std::string& name : selector.path) {
    if (value->kind() == JsonKind::array) return take_all();  // the field may be in any of its elements
    value = value->member(name);
    if (!value) return;
  }
  const std::size_t before = found.size();
  const std::size_t most = before + selector.triggers.size();
  select_strings(selector, *value, most, search);
  if (found.size() <= most) return;
  found.resize(before);  // a long list selects the same ones again and again
  take_all();
}

/// The triggers of a string, or of those in a list and in the lists in it; given up when there are more than `most`.
void TriggerSelection::select_strings(const Selector& selector, const Value& value, std::size_t most, Search& search) {
  std::vector<std::uint32_t>& found = search.triggers;
  if (value.kind() == JsonKind::string) {
    const auto* const triggers = selector.by_string.find(hash_of(value.text(search.text)), whichever);
    if (triggers != nullptr) found.insert(found.end(), triggers->begin(), triggers->end());
  } else if (value.kind() == JsonKind::array) {
    for (std::optional<Value> item = value.first(); item && found.size() <= most; item = item->next()) {
      select_strings(selector, *item, most, search);
    }
  }
}

std::uint64_t TriggerSelection::left_out(std::uint32_t trigger) const noexcept {
  if (bucket_of_[trigger] == nullptr) return 0;
  const std::uint64_t selected = selected_[trigger].load(std::memory_order_acquire);
  return bucket_of_[trigger]->events.load(std::memory_order_relaxed) - selected;
}

}  // namespace action_triggers::detail
