// SPDX-License-Identifier: MIT
/// Finds a destination by its name. Filled once, then read from any thread.
#pragma once

#include <string_view>
#include <vector>

#include "base/hash_table.hpp"
#include "dispatch/destination.hpp"

namespace action_triggers::detail {

class DestinationTable {
 public:
  /// Their names are different from each other; they outlive this.
  explicit DestinationTable(const std::vector<Destination*>& destinations = {}, const void* with = nullptr)
      : attached(with) {
    for (Destination* destination : destinations) table_.add(hash_of(destination->name), destination);
  }

  /// nullptr: there is none. Always inlined: a call costs a fire() 18 instructions, and whether the compiler would make
  /// one depends on how much else stands in that file.
  [[nodiscard, gnu::always_inline]] Destination* find(std::string_view name) const noexcept {
    Destination* const* const found =
        table_.find(hash_of(name), [&](const Destination* destination) { return destination->name == name; });
    return found == nullptr ? nullptr : *found;
  }

  /// What goes by the same configuration: who finds the one finds the other. It is the triggers; see Emitter.
  const void* const attached;

 private:
  HashTable<Destination*> table_;
};

}  // namespace action_triggers::detail
