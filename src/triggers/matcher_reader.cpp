// SPDX-License-Identifier: MIT
#include "triggers/matcher_reader.hpp"

#include <algorithm>
#include <array>
#include <compare>
#include <optional>
#include <string_view>
#include <utility>

#include "base/suggestion.hpp"
#include "config/json_text.hpp"
#include "triggers/condition.hpp"
#include "triggers/decimal.hpp"
#include "triggers/letter_case.hpp"

namespace action_triggers::detail {
namespace {

using Kind = Matcher::Kind;
using MaybeMatcher = std::optional<Matcher>;

bool is_number(const Node& node) { return node.is(Node::Kind::integer) || node.is(Node::Kind::number); }

/// For people: the value as JSON, or *** if it may be a secret.
std::string written(const Node& value, const ConditionPlace& place) {
  if (value.substituted) return "***";
  if (is_number(value)) return std::string(place.digits_of(value));
  if (value.is(Node::Kind::array)) {
    std::string text;
    for (const Node& item : value.items) text += (text.empty() ? "" : ", ") + written(item, place);
    return "[" + text + "]";
  }
  if (value.is(Node::Kind::object)) {
    std::string text;
    for (const Member& member : value.members) {
      text += (text.empty() ? "" : ", ") + quote_json(member.key) + ": " + written(member.value, place);
    }
    return "{" + text + "}";
  }
  return canonical_text(value);
}

Matcher matcher_of(Kind kind, std::string text) {
  Matcher matcher;
  matcher.kind = kind;
  matcher.text = std::move(text);
  return matcher;
}

Matcher equal_number(std::string_view digits) {
  Matcher matcher;
  matcher.kind = Kind::numeric;
  matcher.bounds.push_back({Bound::Kind::equal, std::string(digits)});
  return matcher;
}

/// A string, number, true, false or null; nothing: it is none of them.
MaybeMatcher value_matcher(const Node& node, const ConditionPlace& place) {
  if (is_number(node)) return equal_number(place.digits_of(node));
  if (node.is(Node::Kind::string)) return matcher_of(Kind::text, node.string);
  if (node.is(Node::Kind::boolean)) return matcher_of(Kind::word, node.boolean ? "true" : "false");
  if (node.is(Node::Kind::null)) return matcher_of(Kind::word, "null");
  return std::nullopt;
}

/// The operand of an operator that wants a string.
bool check_string(const Node& operand, std::string_view name, const ConditionPlace& place) {
  if (operand.is(Node::Kind::string)) return place.is_known(operand);
  place.problem(operand.offset, "The operator '" + std::string(name) + "' takes a string.");
  return false;
}

/// {"equals-ignore-case": "a"}, the operand of prefix and suffix; nothing: it is something else.
const Node* ignoring_case(const Node& operand, std::string_view name, const ConditionPlace& place) {
  if (operand.members.size() == 1 && operand.members.front().key == "equals-ignore-case") {
    const Node& text = operand.members.front().value;
    return check_string(text, "equals-ignore-case", place.member("equals-ignore-case")) ? &text : nullptr;
  }
  place.problem(operand.offset,
                "The operator '" + std::string(name) + R"(' takes a string, or {"equals-ignore-case": "…"}.)");
  return nullptr;
}

MaybeMatcher read_affix(const Node& operand, std::string_view name, const ConditionPlace& place) {
  const bool at_front = name == "prefix";
  if (operand.is(Node::Kind::object)) {
    const Node* const text = ignoring_case(operand, name, place);
    if (text == nullptr) return std::nullopt;
    return matcher_of(at_front ? Kind::prefix_any_case : Kind::suffix_any_case, lower_case(text->string));
  }
  if (!check_string(operand, name, place)) return std::nullopt;
  return matcher_of(at_front ? Kind::prefix : Kind::suffix, operand.string);
}

MaybeMatcher read_any_case(const Node& operand, std::string_view name, const ConditionPlace& place) {
  if (!check_string(operand, name, place)) return std::nullopt;
  return matcher_of(Kind::any_case, lower_case(operand.string));
}

MaybeMatcher read_wildcard(const Node& operand, std::string_view name, const ConditionPlace& place) {
  if (!check_string(operand, name, place)) return std::nullopt;
  if (std::string wrong = Wildcard::wrong(operand.string); !wrong.empty()) {
    place.problem(operand.offset, std::move(wrong));
    return std::nullopt;
  }
  Matcher matcher;
  matcher.kind = Kind::wildcard;
  matcher.wildcards.emplace_back(operand.string);
  return matcher;
}

MaybeMatcher read_exists(const Node& operand, std::string_view /*name*/, const ConditionPlace& place) {
  if (!operand.is(Node::Kind::boolean)) {
    if (place.is_known(operand)) place.problem(operand.offset, "The operator 'exists' takes true or false.");
    return std::nullopt;
  }
  return matcher_of(operand.boolean ? Kind::exists : Kind::absent, {});
}

// numeric

constexpr std::array<std::pair<std::string_view, Bound::Kind>, 5> comparisons{{{"<", Bound::Kind::less},
                                                                               {"<=", Bound::Kind::less_equal},
                                                                               {"=", Bound::Kind::equal},
                                                                               {">=", Bound::Kind::greater_equal},
                                                                               {">", Bound::Kind::greater}}};
constexpr std::string_view numeric_shape =
    R"(The operator 'numeric' takes a list of comparisons and numbers: [">=", 100] or [">", 0, "<=", 5].)";

bool is_lower(const Bound& bound) {
  return bound.kind == Bound::Kind::greater || bound.kind == Bound::Kind::greater_equal;
}
bool is_upper(const Bound& bound) { return bound.kind == Bound::Kind::less || bound.kind == Bound::Kind::less_equal; }

bool read_comparison(const Node& node, Bound& bound, const ConditionPlace& place) {
  for (const auto& [sign, kind] : comparisons) {
    if (node.is(Node::Kind::string) && node.string == sign) {
      bound.kind = kind;
      return true;
    }
  }
  const bool is_text = node.is(Node::Kind::string) && !node.substituted;
  place.problem(node.offset, is_text ? "Unknown comparison " + quote_json(node.string) + ". Known: <, <=, =, >=, >."
                                     : std::string(numeric_shape));
  return false;
}

bool read_number(const Node& node, Bound& bound, const ConditionPlace& place) {
  if (!place.is_known(node)) return false;
  if (is_number(node)) {
    bound.digits = place.digits_of(node);
  } else if (node.is(Node::Kind::string) && node.substituted && is_json_number(node.string)) {
    bound.digits = node.string;
  } else {
    place.problem(node.offset, "A number is expected here, after the comparison.");
    return false;
  }
  return true;
}

/// One comparison, or a lower and an upper bound between which there are numbers.
bool check_range(const Node& operand, const std::vector<Bound>& bounds, const ConditionPlace& place) {
  if (bounds.size() == 1) return true;
  const bool ascending = is_lower(bounds[0]) && is_upper(bounds[1]);
  if (!ascending && !(is_upper(bounds[0]) && is_lower(bounds[1]))) {
    place.problem(operand.offset, R"(Of two comparisons, one is '>' or '>=', and the other '<' or '<='.)");
    return false;
  }
  const Bound& lower = ascending ? bounds[0] : bounds[1];
  const Bound& upper = ascending ? bounds[1] : bounds[0];
  const auto order = Decimal(lower.digits) <=> Decimal(upper.digits);
  const bool closed = lower.kind == Bound::Kind::greater_equal && upper.kind == Bound::Kind::less_equal;
  if (std::is_lt(order) || (std::is_eq(order) && closed)) return true;
  place.problem(operand.offset, "No number is in this range: its lower end is not below its upper end.");
  return false;
}

MaybeMatcher read_numeric(const Node& operand, std::string_view /*name*/, const ConditionPlace& place) {
  const std::size_t size = operand.items.size();
  if (!operand.is(Node::Kind::array) || (size != 2 && size != 4)) {
    place.problem(operand.offset, std::string(numeric_shape));
    return std::nullopt;
  }
  Matcher matcher;
  matcher.kind = Kind::numeric;
  for (std::size_t i = 0; i < size; i += 2) {
    Bound bound;
    if (!read_comparison(operand.items[i], bound, place.item(i))) return std::nullopt;
    if (!read_number(operand.items[i + 1], bound, place.item(i + 1))) return std::nullopt;
    matcher.bounds.push_back(std::move(bound));
  }
  if (!check_range(operand, matcher.bounds, place)) return std::nullopt;
  return matcher;
}

// anything-but

MaybeMatcher read_operator(const Member& member, const ConditionPlace& place);

void count_operator(const Node& node, const ConditionPlace& place) {
  if (++place.findings().operators == Condition::max_operators + 1) {
    place.problem(node.offset,
                  "A condition has at most " + std::to_string(Condition::max_operators) + " values and operators.");
  }
}

/// One of what anything-but excludes. `affix`: as the operand of prefix or suffix, where nothing would exclude every
/// string.
void add_excluded(MaybeMatcher other, const Node& node, bool affix, Matcher& to, const ConditionPlace& place) {
  if (!other) return;
  if (affix && other->text.empty()) {
    place.problem(node.offset, "An empty string would exclude every string.");
    return;
  }
  to.others.push_back(std::move(*other));
}

/// {"anything-but": {"prefix": "a"}} or {"prefix": ["a", "b"]}
void read_excluded_operator(const Member& inner, Matcher& to, const ConditionPlace& place) {
  static const std::set<std::string, std::less<>> allowed{"equals-ignore-case", "prefix", "suffix", "wildcard"};
  if (allowed.count(inner.key) == 0) {
    place.problem(inner.key_offset, "'anything-but' takes no '" + inner.key + "'. " + suggestion(inner.key, allowed));
    return;
  }
  const bool affix = inner.key == "prefix" || inner.key == "suffix";
  const Node& operand = inner.value;
  if (!operand.is(Node::Kind::array)) {
    add_excluded(read_operator(inner, place), operand, affix, to, place);
    return;
  }
  if (operand.items.empty()) place.problem(operand.offset, "The list is empty: name at least one value.");
  for (std::size_t i = 0; i < operand.items.size(); ++i) {
    count_operator(operand.items[i], place);
    const Member one{inner.key, inner.key_offset, operand.items[i]};
    add_excluded(read_operator(one, place.item(i)), operand.items[i], affix, to, place.item(i));
  }
}

MaybeMatcher read_anything_but(const Node& operand, std::string_view /*name*/, const ConditionPlace& place) {
  Matcher matcher;
  matcher.kind = Kind::anything_but;
  if (operand.is(Node::Kind::object)) {
    if (operand.members.size() != 1) {
      place.problem(operand.offset, "'anything-but' takes one operator: {\"prefix\": \"…\"}.");
      return std::nullopt;
    }
    read_excluded_operator(operand.members.front(), matcher, place.member(operand.members.front().key));
  } else if (operand.is(Node::Kind::array)) {
    if (operand.items.empty()) place.problem(operand.offset, "The list is empty: name at least one value.");
    for (std::size_t i = 0; i < operand.items.size(); ++i) {
      const Node& item = operand.items[i];
      count_operator(item, place);
      if (!place.is_known(item)) continue;
      if (MaybeMatcher value = value_matcher(item, place)) {
        matcher.others.push_back(std::move(*value));
      } else {
        place.item(i).problem(item.offset,
                              "In the list of 'anything-but' stand strings, numbers, true, false and null.");
      }
    }
  } else if (place.is_known(operand)) {
    matcher.others.push_back(*value_matcher(operand, place));
  }
  if (matcher.others.empty()) return std::nullopt;
  return matcher;
}

// Any operator.

using ReadOperator = MaybeMatcher (*)(const Node& operand, std::string_view name, const ConditionPlace& place);
constexpr std::array<std::pair<std::string_view, ReadOperator>, 7> operators{{{"anything-but", read_anything_but},
                                                                              {"equals-ignore-case", read_any_case},
                                                                              {"exists", read_exists},
                                                                              {"numeric", read_numeric},
                                                                              {"prefix", read_affix},
                                                                              {"suffix", read_affix},
                                                                              {"wildcard", read_wildcard}}};

/// What other languages write, and how it is written here.
constexpr std::array<std::pair<std::string_view, std::string_view>, 20> translations{
    {{"!=", R"({"anything-but": …})"},         {"$in", "the values in the field's list"},
     {"$ne", R"({"anything-but": …})"},        {"<", R"({"numeric": ["<", …]})"},
     {"<=", R"({"numeric": ["<=", …]})"},      {"=", "the value in the field's list"},
     {"==", "the value in the field's list"},  {">", R"({"numeric": [">", …]})"},
     {">=", R"({"numeric": [">=", …]})"},      {"contains", R"({"wildcard": "*…*"})"},
     {"ends-with", R"({"suffix": "…"})"},      {"endswith", R"({"suffix": "…"})"},
     {"eq", "the value in the field's list"},  {"equals", "the value in the field's list"},
     {"in", "the values in the field's list"}, {"like", R"({"wildcard": "…*…"})"},
     {"ne", R"({"anything-but": …})"},         {"not", R"({"anything-but": …})"},
     {"starts-with", R"({"prefix": "…"})"},    {"startswith", R"({"prefix": "…"})"}}};

std::string unknown_operator(const std::string& name) {
  const std::string text = "Unknown operator '" + name + "'. ";
  for (const auto& [other, ours] : translations) {
    if (other == name) return text + "Write " + std::string(ours) + ".";
  }
  return text + suggestion(name, condition_operators());
}

MaybeMatcher read_operator(const Member& member, const ConditionPlace& place) {
  for (const auto& [name, read] : operators) {
    if (name == member.key) return read(member.value, name, place);
  }
  place.problem(member.key_offset, unknown_operator(member.key));
  return std::nullopt;
}

MaybeMatcher read_matcher(const Node& node, const ConditionPlace& place) {
  if (!place.is_known(node)) return std::nullopt;
  if (node.is(Node::Kind::array)) {
    place.problem(node.offset, "A list does not stand in a list: write its values one by one.");
    return std::nullopt;
  }
  if (!node.is(Node::Kind::object)) return value_matcher(node, place);
  if (node.members.size() != 1) {
    place.problem(
        node.offset, "An operator is an object with one key, as {\"prefix\": \"a\"}.",
        node.members.empty() ? "" : "Several in one list are alternatives; of a range, 'numeric' has both ends.");
    return std::nullopt;
  }
  return read_operator(node.members.front(), place.member(node.members.front().key));
}

}  // namespace

const std::set<std::string, std::less<>>& condition_operators() {
  static const std::set<std::string, std::less<>> names = [] {
    std::set<std::string, std::less<>> all;
    for (const auto& row : operators) all.emplace(row.first);
    return all;
  }();
  return names;
}

std::string example_of(const Node& value, const ConditionPlace& place) {
  std::string text = value.substituted ? "…" : written(value, place);
  return text.size() <= 60 ? text : "…";
}

std::vector<Matcher> read_matchers(const Node& list, const ConditionPlace& place) {
  std::vector<Matcher> matchers;
  if (list.items.empty()) {
    place.problem(list.offset, "The list is empty: no value would match.",
                  R"(That a field is missing is [{"exists": false}], that it is there [{"exists": true}].)");
  }
  for (std::size_t i = 0; i < list.items.size() && place.findings().operators <= Condition::max_operators; ++i) {
    count_operator(list.items[i], place.item(i));
    MaybeMatcher matcher = read_matcher(list.items[i], place.item(i));
    if (!matcher) continue;
    matcher->written = written(list.items[i], place);
    matchers.push_back(std::move(*matcher));
  }
  return matchers;
}

}  // namespace action_triggers::detail
