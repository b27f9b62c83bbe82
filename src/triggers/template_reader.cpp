// SPDX-License-Identifier: MIT
// Splits strings into literals and placeholders, and finds out what each placeholder is.
#include "triggers/template_reader.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/suggestion.hpp"
#include "base/text.hpp"
#include "config/json_text.hpp"
#include "triggers/json_escape.hpp"
#include "triggers/payload_json.hpp"

namespace action_triggers::detail {
namespace {

using PieceKind = TemplatePiece::Kind;

constexpr std::string_view header_prefix = "message.headers.";

constexpr std::array<std::pair<std::string_view, PieceKind>, 5> fixed_names{{{"event.name", PieceKind::event_name},
                                                                             {"event.id", PieceKind::event_id},
                                                                             {"event.time", PieceKind::event_time},
                                                                             {"event.payload", PieceKind::payload},
                                                                             {"message.key", PieceKind::message_key}}};

void add_literal(std::string_view text, TemplatePieces& to) {
  if (to.empty() || to.back().kind != PieceKind::literal) to.emplace_back();
  to.back().text += text;
}

/// A default as a JSON value: as it is if it is JSON, else as a string.
std::string json_of_fallback(const std::string& text) {
  PayloadJson json;
  if (json.read(text)) return std::string(json.root().raw());
  std::string quoted = "\"";
  append_escaped(quoted, text);
  return quoted + '"';
}

/// How many braces in it are not closed.
std::ptrdiff_t open_braces(std::string_view text) {
  return std::count(text.begin(), text.end(), '{') - std::count(text.begin(), text.end(), '}');
}

/// Where the '}}' stands that closes the placeholder at the beginning of the text: the first one, unless that is in the
/// midst of a default with braces of its own, as JSON has them. npos: there is none.
std::size_t end_of_placeholder(std::string_view text) {
  const std::size_t first = text.find("}}", 2);
  const std::size_t mark = text.substr(0, first).find(":-");
  if (mark == std::string_view::npos) return first;
  for (std::size_t end = first; end != std::string_view::npos; end = text.find("}}", end + 1)) {
    const std::string_view fallback = text.substr(mark, end - mark);
    if (fallback.find("{{") != std::string_view::npos) return first;  // another placeholder
    if (open_braces(fallback) == 0) return end;
  }
  return first;
}

}  // namespace

TemplateReader::TemplateReader(LoadContext& context) : context_(context) {
  for (const auto& [name, kind] : fixed_names) known_.emplace(name);
  for (const auto& [name, function] : context.options.names) known_.insert(name);
}

ConfigProblem TemplateReader::Place::problem() const {
  if (parent == nullptr) return root;
  ConfigProblem result = parent->problem();
  const std::string name = key == nullptr ? std::to_string(index) : *key;
  result.key += (result.key.empty() ? "" : ".") + name;
  result.pointer = pointer_to(result.pointer, name);
  return result;
}

void TemplateReader::add_problem(const Node& node, const ConfigProblem& where, std::string text) {
  add_problem_at(node, {.root = where}, std::move(text));
}

void TemplateReader::add_problem_at(const Node& node, const Place& where, std::string text) {
  if (context_.findings.full()) return;
  ConfigProblem problem = where.problem();
  problem.text = std::move(text);
  context_.add_problem(node.offset, std::move(problem));
}

bool TemplateReader::count(const Node& node, const Place& where, std::size_t bytes) {
  if (bytes_ > max_template_bytes) return false;  // which was said
  bytes_ += bytes;
  if (bytes_ <= max_template_bytes) return true;
  add_problem_at(node, where, "With this one, the templates of this configuration are longer than 1 MiB.");
  return false;
}

std::optional<std::vector<TemplateReader::Part>> TemplateReader::split(const Node& node, const Place& where,
                                                                       std::string_view text) {
  std::vector<Part> parts;
  const auto add = [&](std::string_view literal) {
    if (parts.empty() || parts.back().is_placeholder) parts.emplace_back();
    parts.back().text += literal;
  };
  while (!text.empty()) {
    const std::size_t braces = std::min(text.find("{{"), text.size());
    if (braces > 0) add(text.substr(0, braces));
    text.remove_prefix(braces);
    if (text.starts_with("{{{{")) {
      add("{{");
      text.remove_prefix(4);
    } else if (text.starts_with("{{{")) {  // a brace, and then a placeholder
      add("{");
      text.remove_prefix(1);
    } else if (!text.empty()) {
      const std::size_t end = end_of_placeholder(text);
      const std::string_view content = text.substr(2, end == std::string_view::npos ? end : end - 2);
      if (end == std::string_view::npos || content.find("{{") != std::string_view::npos) {
        add_problem_at(node, where, "'{{' is not closed by '}}'; write '{{{{' for the characters themselves.");
        return std::nullopt;
      }
      parts.push_back({true, std::string(trimmed(content))});
      text.remove_prefix(end + 2);
    }
  }
  return parts;
}

void TemplateReader::read_text(const Node& node, const ConfigProblem& of, TemplatePieces& to) {
  const Place where{.root = of};
  if (node.unresolved || !count(node, where, node.string.size())) return;
  const auto parts = split(node, where, node.string);
  if (!parts) return;
  for (const Part& part : *parts) {
    if (part.is_placeholder) {
      add_placeholder(node, where, part.text, TemplatePlace::text, to);
    } else {
      add_literal(part.text, to);
    }
  }
}

void TemplateReader::read_json(const Node& node, const ConfigProblem& where, TemplatePieces& to) {
  read_value(node, {.root = where}, to);
}

void TemplateReader::read_value(const Node& node, const Place& where, TemplatePieces& to) {
  switch (node.kind) {
    case Node::Kind::null:
      return add_literal("null", to);
    case Node::Kind::boolean:
      return add_literal(node.boolean ? "true" : "false", to);
    case Node::Kind::integer:
    case Node::Kind::number: {
      const std::string_view digits = context_.digits_of(node);
      if (count(node, where, digits.size())) add_literal(digits, to);
      return;
    }
    case Node::Kind::string:
      return read_json_string(node, where, to);
    case Node::Kind::array:
      add_literal("[", to);
      for (std::size_t i = 0; i < node.items.size(); ++i) {
        if (i > 0) add_literal(",", to);
        read_value(node.items[i], {.root = where.root, .parent = &where, .index = i}, to);
      }
      return add_literal("]", to);
    case Node::Kind::object:
      return read_json_object(node, where, to);
  }
}

void TemplateReader::read_json_string(const Node& node, const Place& where, TemplatePieces& to) {
  if (node.unresolved || !count(node, where, node.string.size())) return;
  const auto parts = split(node, where, node.string);
  if (!parts) return;
  if (parts->size() == 1 && parts->front().is_placeholder) {
    return add_placeholder(node, where, parts->front().text, TemplatePlace::json_value, to);
  }
  add_literal("\"", to);
  for (const Part& part : *parts) {
    if (part.is_placeholder) {
      add_placeholder(node, where, part.text, TemplatePlace::json_string, to);
    } else {
      add_escaped(node, where, part.text, to);
    }
  }
  add_literal("\"", to);
}

void TemplateReader::read_json_object(const Node& node, const Place& where, TemplatePieces& to) {
  add_literal("{", to);
  for (const Member& member : node.members) {
    if (&member != &node.members.front()) add_literal(",", to);
    const Place at{.root = where.root, .parent = &where, .key = &member.key};
    add_key(member, at, to);
    read_value(member.value, at, to);
  }
  add_literal("}", to);
}

void TemplateReader::add_key(const Member& member, const Place& where, TemplatePieces& to) {
  Node place;  // of the key, for problems
  place.offset = member.key_offset;
  if (!count(place, where, member.key.size())) return;
  const auto parts = split(place, where, member.key);
  if (!parts) return;
  add_literal("\"", to);
  for (const Part& part : *parts) {
    if (part.is_placeholder) return add_problem_at(place, where, "A key holds no placeholders, only values do.");
    add_escaped(place, where, part.text, to);
  }
  add_literal("\":", to);
}

void TemplateReader::add_escaped(const Node& node, const Place& where, std::string_view text, TemplatePieces& to) {
  add_literal("", to);
  if (append_escaped(to.back().text, text) != std::string_view::npos) {
    add_problem_at(node, where, "This text is not UTF-8, which JSON has to be.");
  }
}

void TemplateReader::add_placeholder(const Node& node, const Place& where, const std::string& inside_braces,
                                     TemplatePlace place, TemplatePieces& to) {
  TemplatePiece piece;
  piece.place = place;
  const std::size_t mark = inside_braces.find(":-");
  piece.text = trimmed(std::string_view(inside_braces).substr(0, mark));
  if (mark != std::string::npos) {
    const std::string fallback = inside_braces.substr(mark + 2);
    piece.fallback.emplace();
    if (place == TemplatePlace::json_value) {
      piece.fallback = json_of_fallback(fallback);
    } else if (place == TemplatePlace::text) {
      piece.fallback = fallback;
    } else if (append_escaped(*piece.fallback, fallback) != std::string_view::npos) {
      return add_problem_at(node, where, "This text is not UTF-8, which JSON has to be.");
    }
  }
  if (find_kind(node, where, piece)) to.push_back(std::move(piece));
}

bool TemplateReader::find_kind(const Node& node, const Place& where, TemplatePiece& piece) {
  if (piece.text.starts_with('/')) return read_pointer(node, where, piece);
  for (const auto& [name, kind] : fixed_names) {
    if (piece.text != name) continue;
    piece.kind = kind;
    return true;
  }
  if (piece.text.starts_with(header_prefix) && piece.text.size() > header_prefix.size()) {
    piece.kind = PieceKind::message_header;
    piece.header = piece.text.substr(header_prefix.size());
    return true;
  }
  const auto found = context_.options.names.find(piece.text);
  if (found != context_.options.names.end()) {
    piece.kind = PieceKind::registered;
    piece.value = found->second;
    return true;
  }
  report_unknown(node, where, piece.text);
  return false;
}

bool TemplateReader::read_pointer(const Node& node, const Place& where, TemplatePiece& piece) {
  piece.kind = PieceKind::pointer;
  auto tokens = pointer_tokens(piece.text);
  if (!tokens) {
    add_problem_at(node, where, "In a JSON pointer '~' is written '~0', and the '/' of a key '~1'.");
    return false;
  }
  piece.pointer = std::move(*tokens);
  return true;
}

void TemplateReader::report_unknown(const Node& node, const Place& where, const std::string& name) {
  if (name.empty()) {
    return add_problem_at(node, where, "'{{ }}' names nothing; '{{ event.payload }}' is the whole payload.");
  }
  const std::string shown = node.substituted ? std::string("***") : name;  // it may be a secret
  std::string text = "Path '" + shown + "' not allowed.";
  if (context_.options.allow_unknown) {
    if (context_.findings.warnings.size() > max_config_problems) return;  // enough is said
    ConfigProblem warning = where.problem();
    warning.text = text + " The value is not checked.";
    return context_.add_warning(node.offset, std::move(warning));
  }
  if (context_.findings.full()) return;  // a suggestion costs something
  auto known = known_;
  if (const std::size_t dot = name.find('.', name.find('.') + 1); dot != std::string::npos) {
    known.insert(std::string(header_prefix) + name.substr(dot + 1));
  }
  std::string question = node.substituted ? std::string() : did_you_mean(name, known);
  if (question.empty()) {
    known = known_;
    known.insert({"/json/pointer", std::string(header_prefix) + "NAME"});
    question = suggestion("", known);
  }
  add_problem_at(node, where, text + " " + question);
}

}  // namespace action_triggers::detail
