// SPDX-License-Identifier: MIT
// Finds the placeholders of a string and puts their values in.
#include "config/substitution.hpp"

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <optional>
#include <utility>

#include "base/text.hpp"
#include "config/read_file.hpp"

namespace action_triggers::detail {
namespace {

/// A value, or what is wrong.
struct Resolved {
  std::optional<std::string> value;
  std::string problem;
  OthersMay others_may = OthersMay::nothing;
  bool is_unknown = false;  // nobody here knows such a placeholder
};

Resolved unknown(std::string problem) { return {.value = {}, .problem = std::move(problem), .is_unknown = true}; }

Resolved environment(const std::string& name) {
  if (const char* value = std::getenv(name.c_str())) return {value, {}};
  return {std::nullopt,
          "The environment variable '" + name + "' is not set; set it, or write ${" + name + ":-default}."};
}

Resolved file(const std::string& path) {
  FileContent read = read_file(path);
  if (!read.bytes) return {std::nullopt, "The file '" + path + "' cannot be read: " + read.why + "."};
  std::string& content = *read.bytes;
  if (content.size() > max_config_bytes) return {std::nullopt, "The file '" + path + "' is larger than 1 MiB."};
  if (content.ends_with('\n')) content.pop_back();  // editors add it, secrets do not end with it
  if (content.ends_with('\r')) content.pop_back();
  return {std::move(content), {}, others_may(path)};
}

Resolved custom(const ConfigOptions& options, std::string_view name, std::string_view argument) {
  const auto found = options.resolvers.find(name);
  if (found == options.resolvers.end()) {
    std::string known = "file";
    for (const auto& [resolver, function] : options.resolvers) known += ", " + resolver;
    return unknown("There is no resolver '" + std::string(name) + "'. Known resolvers: " + known + ".");
  }
  try {
    if (auto value = found->second(argument)) return {std::move(value), {}};
  } catch (const std::exception& error) {
    return {std::nullopt, "The resolver '" + std::string(name) + "' failed: " + error.what()};
  }
  return {std::nullopt, "The resolver '" + std::string(name) + "' knows nothing of '" + std::string(argument) + "'."};
}

Resolved resolve_dollar(const ConfigOptions& options, std::string_view inside, std::vector<std::string>& files) {
  if (const std::size_t colon = inside.find(':'); colon != std::string_view::npos) {
    const std::string name(inside.substr(0, colon));
    std::string_view argument = inside.substr(colon + 1);
    if (!argument.starts_with('-')) {
      if (name != "file") return custom(options, name, argument);
      files.emplace_back(argument);
      return file(files.back());
    }
    Resolved found = environment(name);
    if (!found.value || found.value->empty()) found = {std::string(argument.substr(1)), {}};  // as in a shell
    return found;
  }
  if (inside.empty()) return {std::nullopt, "'${}' names no environment variable."};
  return environment(std::string(inside));
}

Resolved resolve_name(const ConfigOptions& options, std::string_view inside) {
  const std::string_view name = trimmed(inside);
  const auto found = options.names.find(name);
  if (found == options.names.end()) return unknown("Path '" + std::string(name) + "' not allowed.");
  try {
    return {found->second(), {}};
  } catch (const std::exception& error) {
    return {std::nullopt, "The value of '" + std::string(name) + "' could not be had: " + error.what()};
  }
}

/// Where a value stands, up to the node that was given: a pointer is made only if something is wrong there, since one
/// for each value would cost the square of what keys may be long.
struct Path {
  const Path* parent;
  const std::string* key;  // nullptr: an element of a list
  std::size_t index;

  [[nodiscard]] std::string pointer(const std::string& root) const {
    const std::string before = parent == nullptr ? root : parent->pointer(root);
    return key == nullptr ? pointer_to(before, index) : pointer_to(before, *key);
  }
};

/// Substitutes in one value and what is in it.
class Substitution {
 public:
  Substitution(const ConfigOptions& options, const std::string& root, const AddFinding& add_finding, Braces braces)
      : options_(options), root_(root), add_finding_(add_finding), braces_(braces) {}

  void in(Node& node, const Path* path, bool in_list) {
    if (node.is(Node::Kind::string)) in_string(node, path, in_list);
    for (Member& member : node.members) {
      const Path at{path, &member.key, 0};
      in(member.value, &at, /*in_list=*/false);
      node.substituted = node.substituted || member.value.substituted;
    }
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const Path at{path, nullptr, i};
      in(node.items[i], &at, /*in_list=*/true);
      node.unresolved = node.unresolved || node.items[i].unresolved;
      node.substituted = node.substituted || node.items[i].substituted;
    }
  }

  std::vector<std::string> take_files() { return std::move(files_); }

 private:
  void fail(Node& node, const Path* path, std::string text, bool is_problem = true) {
    node.unresolved = true;
    if (++failures_ > max_config_problems + 1) return;  // nobody is told of more, so no pointer is made
    add_finding_(path == nullptr ? root_ : path->pointer(root_), node.offset, std::move(text), is_problem);
  }

  void in_string(Node& node, const Path* path, bool in_list);
  void put(Node& node, const Path* path, bool dollar, std::string_view placeholder, std::string& result);

  const ConfigOptions& options_;
  const std::string& root_;
  const AddFinding& add_finding_;
  const Braces braces_;
  std::size_t failures_ = 0;
  std::vector<std::string> files_;
};

/// Appends what a placeholder stands for, or says why it stands for nothing.
void Substitution::put(Node& node, const Path* path, bool dollar, std::string_view placeholder, std::string& result) {
  const std::size_t marks = dollar ? 1 : 2;  // at its end; two at its beginning
  const std::string_view inside = placeholder.substr(2, placeholder.size() - 2 - marks);
  Resolved resolved = dollar ? resolve_dollar(options_, inside, files_) : resolve_name(options_, inside);
  if (resolved.value) {
    result += *resolved.value;
    node.others_may = std::max(node.others_may, resolved.others_may);
  } else if (resolved.is_unknown && options_.allow_unknown) {
    result += placeholder;
    fail(node, path, std::move(resolved.problem) + " The value is not checked.", /*is_problem=*/false);
  } else {
    fail(node, path, std::move(resolved.problem));
  }
}

void Substitution::in_string(Node& node, const Path* path, bool in_list) {
  std::string result;
  std::string_view rest = node.string;
  bool found_any = false;
  while (!rest.empty()) {
    if (rest.starts_with("$${")) {  // an escaped ${
      result += "${";
      rest.remove_prefix(3);
      continue;
    }
    const bool dollar = rest.starts_with("${");
    const bool braces = braces_ == Braces::substituted && !in_list && rest.starts_with("{{");
    if (!dollar && !braces) {
      result += rest.front();
      rest.remove_prefix(1);
      continue;
    }
    const std::string_view end_mark = dollar ? "}" : "}}";
    const std::size_t end = rest.find(end_mark, 2);
    if (end == std::string_view::npos) {
      if (dollar) {
        fail(node, path, "'${' is not closed by '}'; write '$${' for the characters themselves.");
        return;
      }
      result += rest;  // the reference leaves it as it is
      break;
    }
    put(node, path, dollar, rest.substr(0, end + end_mark.size()), result);
    if (result.size() > max_config_bytes) {
      fail(node, path, "With what its placeholders stand for, this value is larger than 1 MiB.");
      return;
    }
    found_any = true;
    rest.remove_prefix(end + end_mark.size());
  }
  node.string = std::move(result);
  node.substituted = found_any;
}

}  // namespace

std::vector<std::string> substitute(Node& node, const ConfigOptions& options, const std::string& pointer,
                                    const AddFinding& add_finding, Braces braces) {
  Substitution substitution(options, pointer, add_finding, braces);
  substitution.in(node, nullptr, /*in_list=*/false);
  return substitution.take_files();
}

}  // namespace action_triggers::detail
