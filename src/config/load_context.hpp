// SPDX-License-Identifier: MIT
/// What the readers of one file's sections share: the text's positions, what was found to be wrong, and the result.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/config.hpp"
#include "config/document.hpp"
#include "config/section_reader.hpp"
#include "config/substitution.hpp"

namespace action_triggers::detail {

class LoadContext {
 public:
  LoadContext(std::string_view of_file, const BrokerRegistry& with_registry, const ConfigOptions& with_options)
      : text(of_file), registry(with_registry), options(with_options), positions(of_file) {}
  LoadContext(const LoadContext&) = delete;
  LoadContext& operator=(const LoadContext&) = delete;

  /// Records a problem with what begins at `offset`.
  void add_problem(std::size_t offset, ConfigProblem problem);
  void add_warning(std::size_t offset, ConfigProblem warning);

  /// "Unknown field '…'. Did you mean '…'?", of a key in the object at `pointer`.
  void add_unknown_field(const Member& member, const std::string& pointer,
                         const std::set<std::string, std::less<>>& known, const std::string& broker = {});

  /// Whether the value is an object; what else it is, other than null, is a problem.
  bool check_object(const Member& member, const std::string& pointer);

  /// Substitutes in the values of an object; `broker` and `section` go into the problems.
  void substitute_in(Node& object, const std::string& broker, const std::string& section, const std::string& pointer,
                     Braces braces = Braces::substituted);

  /// A top-level section, for sections that are read as a ConfigSection: substitutes, calls `read`, and reports the
  /// keys that it did not ask for. Null is left out; what is no object is a problem.
  void read_section(Member& member, const std::string& pointer, const std::function<void(ConfigSection&)>& read);

  /// A number as the file writes it, digit by digit.
  [[nodiscard]] std::string_view digits_of(const Node& number) const;

  const std::string_view text;
  const BrokerRegistry& registry;
  const ConfigOptions& options;
  const TextPositions positions;
  Findings findings{positions};
  Config config;
  /// The names of all destinations so far, each with the map that it stands in: there may be several maps.
  std::map<std::string, const Member*> names_seen;
  /// Destinations that lack nothing but required params, and what is said of that: a problem, unless `completed` has
  /// them because a trigger supplies what they lack.
  std::map<std::string, std::vector<ConfigProblem>> incomplete;
  std::set<std::string> completed;
  std::set<std::string> sections;  // that the file has, by their keys
};

}  // namespace action_triggers::detail
