// SPDX-License-Identifier: MIT
#include "cli/dat_payload.hpp"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "base/text.hpp"

namespace action_triggers::cli {
namespace {

using detail::trimmed;
using Json = nlohmann::ordered_json;

/// `$${` and `{{{{` are how the loader and templates are told of the characters `${` and `{{`.
std::string escaped(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with("${")) result += '$';
    if (text.substr(i).starts_with("{{")) {
      result += "{{{{";
      ++i;
      continue;
    }
    result += text[i];
  }
  return result;
}

std::string with_double_quotes(std::string text) {
  std::replace(text.begin(), text.end(), '\'', '"');
  return text;
}

/// A piece of a Django template.
struct Piece {
  enum class Kind { text, variable, other };
  Kind kind;
  std::string_view source;  // as a whole
  std::string_view inside;  // of a variable: without braces and blanks
};

std::vector<Piece> pieces_of(std::string_view text) {
  std::vector<Piece> pieces;
  while (!text.empty()) {
    std::size_t begin = std::string_view::npos;
    for (const char* mark : {"{{", "{%", "{#"}) begin = std::min(begin, text.find(mark));
    const std::string_view end_mark = begin == std::string_view::npos ? ""
                                      : text[begin + 1] == '{'        ? "}}"
                                      : text[begin + 1] == '%'        ? "%}"
                                                                      : "#}";
    const std::size_t end = end_mark.empty() ? begin : text.find(end_mark, begin + 2);
    if (end == std::string_view::npos) {  // for Django that is text too
      pieces.push_back({Piece::Kind::text, text, {}});
      break;
    }
    if (begin > 0) pieces.push_back({Piece::Kind::text, text.substr(0, begin), {}});
    const std::string_view source = text.substr(begin, end + 2 - begin);
    const auto kind = end_mark == "}}" ? Piece::Kind::variable : Piece::Kind::other;
    pieces.push_back({kind, source, trimmed(source.substr(2, source.size() - 4))});
    text.remove_prefix(end + 2);
  }
  return pieces;
}

/// `{{ instance.customer.name|default:"nobody" }}`: the pointer, and what is sent without a value.
struct Variable {
  std::string pointer;
  std::string fallback;
};

/// `default:'text'`; nothing: another filter, or one with a variable.
std::optional<std::string> default_of(std::string_view filter) {
  const std::size_t colon = filter.find(':');
  const std::string_view name = trimmed(filter.substr(0, colon));
  if (colon == std::string_view::npos || (name != "default" && name != "default_if_none")) return std::nullopt;
  const std::string_view argument = trimmed(filter.substr(colon + 1));
  const bool is_quoted = argument.size() >= 2 && argument.front() == argument.back() &&
                         (argument.front() == '"' || argument.front() == '\'');
  const bool is_number = !argument.empty() && argument.find_first_not_of("0123456789.-") == std::string_view::npos;
  if (!is_quoted && !is_number) return std::nullopt;
  return std::string(is_quoted ? argument.substr(1, argument.size() - 2) : argument);
}

std::optional<Variable> variable_of(std::string_view inside) {
  constexpr std::string_view instance = "instance.";
  std::vector<std::string_view> parts;
  for (std::size_t bar = 0; bar != std::string_view::npos;) {
    bar = inside.find('|');
    parts.push_back(trimmed(inside.substr(0, bar)));
    if (bar != std::string_view::npos) inside.remove_prefix(bar + 1);
  }
  std::string_view path = parts.front();
  if (!path.starts_with(instance) || path.find_first_of(" (){}\"'~/") != std::string_view::npos) return std::nullopt;
  Variable variable{.pointer = "/" + std::string(path.substr(instance.size())), .fallback = {}};
  std::replace(variable.pointer.begin(), variable.pointer.end(), '.', '/');
  if (variable.pointer == "/pk") variable.pointer = "/id";
  for (std::size_t i = 1; i < parts.size(); ++i) {
    if (parts[i] == "safe") continue;
    std::optional<std::string> fallback = default_of(parts[i]);
    if (!fallback || fallback->find("}}") != std::string::npos) return std::nullopt;
    variable.fallback = std::move(*fallback);
  }
  return variable;
}

/// Converts one payload.
class Conversion {
 public:
  DatPayload run(const Json& payload) {
    const bool is_nothing = payload.is_null() || (payload.is_structured() && payload.empty()) ||
                            (payload.is_string() && payload.get_ref<const std::string&>().empty()) ||
                            payload == false || payload == 0;
    if (is_nothing) return std::move(result_);  // as in Python: the fields are sent
    result_.body = payload.is_string() ? of_string(payload.get_ref<const std::string&>()) : of_value(payload);
    return std::move(result_);
  }

 private:
  void note(const std::string& text) {
    if (std::find(result_.notes.begin(), result_.notes.end(), text) == result_.notes.end())
      result_.notes.push_back(text);
  }

  /// The placeholder for a variable. `is_alone`: it is the whole string, and a default would keep its type.
  std::string placeholder(const Piece& piece, bool is_alone) {
    const auto variable = piece.kind == Piece::Kind::variable ? variable_of(piece.inside) : std::nullopt;
    if (!variable) {
      result_.missing.push_back("'" + std::string(piece.source) + "' has no equivalent");
      return {};
    }
    if (variable->pointer.find('/', 1) != std::string::npos) {
      note("the event's payload must have " + variable->pointer + ", which is not among the instance's own fields");
    }
    const bool keeps_type = is_alone && Json::accept(variable->fallback);
    return "{{ " + variable->pointer + ":-" +
           escaped(keeps_type ? Json(variable->fallback).dump() : variable->fallback) + " }}";
  }

  std::string of_text(const std::string& text) {
    const std::vector<Piece> pieces = pieces_of(text);
    std::string result;
    for (const Piece& piece : pieces) {
      result += piece.kind == Piece::Kind::text ? escaped(piece.source) : placeholder(piece, pieces.size() == 1);
    }
    return result;
  }

  /// Of an object or list, and what is in it.
  Json of_value(const Json& value) {
    if (value.is_string()) return of_text(value.get_ref<const std::string&>());
    if (value.is_boolean() || value.is_null()) {
      note("true, false and null are JSON here; the package sends the text of a Python dict that has them");
    }
    if (!value.is_structured()) return value;
    Json result = value.is_array() ? Json::array() : Json::object();
    for (const auto& [key, inner] : value.items()) {
      if (value.is_array()) {
        result.push_back(of_value(inner));
        continue;
      }
      if (pieces_of(key).size() != 1 || pieces_of(key).front().kind != Piece::Kind::text) {
        result_.missing.push_back("a key is no template here: '" + key + "'");
      }
      result[key] = of_value(inner);
    }
    return result;
  }

  /// Of a payload that is a text: JSON if that is what it will be, else a JSON string.
  Json of_string(const std::string& text) {
    const Json whole = Json::parse(with_double_quotes(text), nullptr, /*allow_exceptions=*/false);
    if (whole.is_structured()) return of_value(whole);
    const std::vector<Piece> pieces = pieces_of(text);
    std::string likely;
    for (const Piece& piece : pieces) likely += piece.kind == Piece::Kind::text ? std::string(piece.source) : "0";
    const bool is_json = Json::accept(with_double_quotes(likely));
    std::string result = is_json ? "" : "\"";
    for (const Piece& piece : pieces) {
      if (piece.kind != Piece::Kind::text) {
        result += placeholder(piece, /*is_alone=*/false);
      } else if (is_json) {
        result += escaped(with_double_quotes(std::string(piece.source)));
      } else {
        const std::string quoted = Json(std::string(piece.source)).dump();
        result += escaped(quoted.substr(1, quoted.size() - 2));
      }
    }
    if (pieces.size() > 1 || pieces.front().kind != Piece::Kind::text) {
      note("the body is a text: a value with a quote or a backslash makes it something else than JSON");
    }
    return result + (is_json ? "" : "\"");
  }

  DatPayload result_;
};

}  // namespace

DatPayload convert_dat_payload(const nlohmann::ordered_json& payload) { return Conversion().run(payload); }

}  // namespace action_triggers::cli
