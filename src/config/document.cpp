// SPDX-License-Identifier: MIT
// JSON text to a tree with positions. Written here rather than given to the JSON library, whose parser knows no
// comments and no positions of values, ends at a NUL character, and words its errors for programmers.
#include "config/document.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <utility>

namespace action_triggers::detail {
namespace {

using nlohmann::json;

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
constexpr std::string_view number_characters = "+-._0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::size_t longest_key = 1024;  // pointers and error texts are made of keys

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_utf16(std::string_view text) {
  return text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF") ||
         (text.size() > 1 && (text[0] == '\0') != (text[1] == '\0'));
}

/// The length of the UTF-8 character that begins here; 0: there is none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const unsigned lead = byte(0);
  const std::size_t length = lead < 0x80   ? 1
                             : lead < 0xC2 ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                             : lead < 0xF5 ? 4
                                           : 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return 0;
  }
  const bool overlong = (lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xF0 && byte(1) < 0x90);
  const bool beyond = (lead == 0xED && byte(1) >= 0xA0) || (lead == 0xF4 && byte(1) >= 0x90);
  return overlong || beyond ? 0 : length;
}

void append_utf8(std::string& to, unsigned code) {
  const auto add = [&](unsigned byte) { to += static_cast<char>(byte); };
  if (code < 0x80) {
    add(code);
  } else if (code < 0x800) {
    add(0xC0U | code >> 6U);
    add(0x80U | (code & 0x3FU));
  } else if (code < 0x10000) {
    add(0xE0U | code >> 12U);
    add(0x80U | (code >> 6U & 0x3FU));
    add(0x80U | (code & 0x3FU));
  } else {
    add(0xF0U | code >> 18U);
    add(0x80U | (code >> 12U & 0x3FU));
    add(0x80U | (code >> 6U & 0x3FU));
    add(0x80U | (code & 0x3FU));
  }
}

/// RFC 8259's grammar of numbers.
bool is_json_number(std::string_view text) {
  const auto digits = [&] {
    const std::size_t count = std::min(text.find_first_not_of("0123456789"), text.size());
    text.remove_prefix(count);
    return count;
  };
  if (text.starts_with('-')) text.remove_prefix(1);
  if (text.starts_with('0')) {
    text.remove_prefix(1);
  } else if (digits() == 0) {
    return false;
  }
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    if (digits() == 0) return false;
  }
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
    if (digits() == 0) return false;
  }
  return text.empty();
}

/// What is wrong with a word that stands where a value is expected.
std::string wrong_word(std::string_view word) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 12> meant{{{"True", "true"},
                                                                                 {"TRUE", "true"},
                                                                                 {"yes", "true"},
                                                                                 {"on", "true"},
                                                                                 {"False", "false"},
                                                                                 {"FALSE", "false"},
                                                                                 {"no", "false"},
                                                                                 {"off", "false"},
                                                                                 {"None", "null"},
                                                                                 {"Null", "null"},
                                                                                 {"NULL", "null"},
                                                                                 {"undefined", "null"}}};
  for (const auto& [wrong, right] : meant) {
    if (word == wrong) return "JSON writes " + std::string(right) + ", not " + std::string(wrong) + ".";
  }
  if (word == "NaN" || word == "Infinity") return "JSON has no " + std::string(word) + ".";
  return "A text stands in double quotes: \"…\".";
}

/// Recursive descent. After a syntax error there is no tree: reading stops by an exception of its own.
class Parser {
 public:
  Parser(std::string_view text, const TextPositions& positions, std::vector<ConfigProblem>& problems)
      : text_(text), positions_(positions), problems_(problems) {}

  Node parse() {
    try {
      return parse_text();
    } catch (const Stopped&) {
      return {};
    }
  }

 private:
  struct Stopped {};

  [[noreturn]] void stop(std::size_t offset, std::string text, std::string pointer = {}) {
    add_problem(offset, {.pointer = std::move(pointer), .text = std::move(text)});
    throw Stopped();
  }
  [[noreturn]] void fail(std::size_t offset, const std::string& text) { stop(offset, "Not valid JSON: " + text); }

  /// Nobody will be told of another problem, so its pointer need not be made.
  [[nodiscard]] bool full() const { return problems_.size() > max_config_problems; }

  void add_problem(std::size_t offset, ConfigProblem problem) {
    if (full()) return;
    positions_.locate(offset, problem);
    problems_.push_back(std::move(problem));
  }

  Node parse_text() {
    if (is_utf16(text_)) stop(0, "The file is written in UTF-16; save it as UTF-8.");
    if (text_.starts_with(byte_order_mark)) at_ = byte_order_mark.size();
    skip_space();
    if (at_end()) stop(0, "The configuration is empty.");
    if (std::string_view("{[\"-0123456789").find(peek()) == std::string_view::npos && !starts_literal()) {
      if (static_cast<unsigned char>(peek()) <= ' ' || static_cast<unsigned char>(peek()) >= 0x7F) fail_unexpected();
      fail(at_, "A configuration begins with '{'.");
    }
    Node root;
    read_value(root);
    skip_space();
    if (at_end()) return root;
    if (peek() == '}' || peek() == ']') fail(at_, std::string("This '") + peek() + "' is one too many.");
    if (peek() == '\0' || static_cast<unsigned char>(peek()) >= 0x7F) fail_unexpected();
    fail(at_, "Something stands after the end of the configuration.");
  }

  // Characters

  [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }
  [[nodiscard]] char peek() const { return text_[at_]; }
  [[nodiscard]] std::string_view rest() const { return text_.substr(at_); }
  bool take(char wanted) {
    if (at_end() || peek() != wanted) return false;
    ++at_;
    return true;
  }

  /// Blanks and comments.
  void skip_space() {
    while (!at_end()) {
      if (std::string_view(" \t\r\n").find(peek()) != std::string_view::npos) {
        ++at_;
      } else if (peek() == '#' || rest().starts_with("//")) {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (rest().starts_with("/*")) {
        const std::size_t end = text_.find("*/", at_ + 2);
        if (end == std::string_view::npos) stop(at_, "This comment does not end.");
        at_ = end + 2;
      } else {
        return;
      }
    }
  }

  [[nodiscard]] std::string line_of(std::size_t offset) const {
    ConfigProblem at;
    positions_.locate(offset, at);
    return std::to_string(at.line);
  }

  /// Something stands here that nobody can expect.
  [[noreturn]] void fail_unexpected() {
    if (peek() == '\0') fail(at_, "There is a NUL character here.");
    for (const std::string_view quote : {"\xE2\x80\x98", "\xE2\x80\x99", "\xE2\x80\x9A", "\xE2\x80\x9C", "\xE2\x80\x9D",
                                         "\xE2\x80\x9E", "\xC2\xAB", "\xC2\xBB"}) {
      if (rest().starts_with(quote)) {
        fail(at_, "Keys and strings stand in plain double quotes (\"), not in typographic ones.");
      }
    }
    if (peek() == '\'') fail(at_, "Keys and strings stand in double quotes (\"), not in single ones.");
    for (const std::string_view blank : {std::string_view("\xC2\xA0"), std::string_view("\xE2\x80\x8B"),
                                         std::string_view("\xE3\x80\x80"), byte_order_mark}) {
      if (rest().starts_with(blank)) {
        fail(at_, "There is an invisible character here, such as a no-break space; replace it by a plain space.");
      }
    }
    if (utf8_length(rest()) == 0) fail(at_, "This byte is not UTF-8; save the file as UTF-8.");
    if (static_cast<unsigned char>(peek()) < 0x20 || peek() == 0x7F) fail(at_, "There is a control character here.");
    fail(at_, "'" + std::string(rest().substr(0, utf8_length(rest()))) + "' is not expected here.");
  }

  // Values

  [[nodiscard]] bool starts_literal() const {
    for (const std::string_view literal : {"true", "false", "null"}) {
      const std::size_t end = at_ + literal.size();
      if (rest().starts_with(literal) && (end >= text_.size() || (!is_letter(text_[end]) && !is_digit(text_[end])))) {
        return true;
      }
    }
    return false;
  }

  void read_value(Node& node) {
    node.offset = at_;
    if (at_end()) fail_at_end();
    if (peek() == '{') {
      read_object(node);
    } else if (peek() == '[') {
      read_array(node);
    } else if (peek() == '"') {
      node.kind = Node::Kind::string;
      read_string(node.string);
    } else if (is_digit(peek()) || peek() == '-') {
      read_number(node);
    } else if (starts_literal()) {
      if (peek() != 'n') node.kind = Node::Kind::boolean;
      node.boolean = peek() == 't';
      at_ += peek() == 'f' ? 5U : 4U;
    } else {
      fail_at_value();
    }
    value_end_ = at_;
  }

  [[noreturn]] void fail_at_end() {
    if (open_.empty()) fail(at_, "The file ends too early.");
    fail(at_, std::string("The file ends, and the '") + text_[open_.back()] + "' of line " + line_of(open_.back()) +
                  " is not closed.");
  }

  [[noreturn]] void fail_at_value() {
    const char c = peek();
    if (c == ',' || c == '}' || c == ']') fail(at_, "A value is missing here.");
    if (c == '+' || c == '.') fail_number();
    if (c == '$') fail(at_, "A placeholder stands in double quotes: \"${…}\".");
    if (is_letter(c)) fail(at_, wrong_word(rest().substr(0, rest().find_first_not_of(number_characters))));
    fail_unexpected();
  }

  void open(Node& node, Node::Kind kind) {
    node.kind = kind;
    if (open_.size() >= max_config_depth) {
      stop(at_, "Nested deeper than " + std::to_string(max_config_depth) + " levels.", pointer());
    }
    open_.push_back(at_);
    ++at_;
  }

  void read_object(Node& node) {
    open(node, Node::Kind::object);
    std::unordered_map<std::string, std::size_t> seen;  // keys, and where they stand
    bool first = true;
    while (!closes('}', first)) {
      first = false;
      Member& member = node.members.emplace_back();
      read_key(member);
      if (const auto [other, is_new] = seen.emplace(member.key, member.key_offset); !is_new && !full()) {
        add_problem(member.key_offset,
                    {.pointer = pointer_to(pointer(), member.key),
                     .text = "The key " + quote_json(member.key) + " stands here twice; it was given first in line " +
                             line_of(other->second) + "."});
      }
      path_.push_back(member.key);
      read_value(member.value);
      path_.pop_back();
    }
  }

  void read_array(Node& node) {
    open(node, Node::Kind::array);
    while (!closes(']', node.items.empty())) {
      path_.push_back(std::to_string(node.items.size()));
      read_value(node.items.emplace_back());
      path_.pop_back();
    }
  }

  /// What stands between the values of an object or list: whether it ends here.
  bool closes(char end, bool first) {
    skip_space();
    if (at_end()) fail_at_end();
    if (peek() == end) {
      ++at_;
      open_.pop_back();
      return true;
    }
    if (!first) {
      const std::size_t comma = at_;
      if (!take(',')) fail_after_value(end);
      skip_space();
      if (at_end()) fail_at_end();
      if (peek() == end || peek() == ',') {
        fail(comma, std::string("There is a comma too many before this '") + peek() + "'.");
      }
    }
    if (peek() == ',') fail(at_, "There is a comma too many here.");
    if (peek() == '}' || peek() == ']') fail_wrong_end();
    return false;
  }

  [[noreturn]] void fail_wrong_end() {
    fail(at_, std::string("This '") + peek() + "' does not close the '" + text_[open_.back()] + "' of line " +
                  line_of(open_.back()) + ".");
  }

  [[noreturn]] void fail_after_value(char end) {
    const char c = peek();
    if (c == '}' || c == ']') fail_wrong_end();
    if (is_letter(c) && at_ == value_end_ && text_[at_ - 1] == '"') {
      fail(value_end_ - 1, "The string ends here, and more follows; a '\"' inside a string is written '\\\"'.");
    }
    if (c == ':' && end == ']') fail(at_, "A list has no keys; an object stands in '{' and '}'.");
    if (c == '"' || c == '\'' || c == '{' || c == '[' || c == '-' || c == '$' || is_digit(c) || is_letter(c)) {
      fail(value_end_, "A comma is missing here.");
    }
    fail_unexpected();
  }

  void read_key(Member& member) {
    member.key_offset = at_;
    if (peek() == '{' && text_[at_ - 1] == '{') fail(at_ - 1, "A placeholder stands in double quotes: \"{{ … }}\".");
    if (is_letter(peek()) || is_digit(peek())) fail(at_, "A key stands in double quotes: \"…\".");
    if (peek() == ':') fail(at_, "A key is missing here.");
    if (peek() != '"') fail_unexpected();
    read_string(member.key);
    if (member.key.size() > longest_key) {
      fail(member.key_offset, "This key is longer than " + std::to_string(longest_key) + " bytes.");
    }
    const std::size_t key_end = at_;
    skip_space();
    if (at_end()) fail_at_end();
    if (peek() == '=') fail(at_, "Between a key and its value stands ':', not '='.");
    if (!take(':')) fail(key_end, "A ':' is missing here, after the key.");
    skip_space();
  }

  void read_string(std::string& to) {
    const std::size_t start = at_++;
    while (!at_end() && peek() != '"') {
      const auto c = static_cast<unsigned char>(peek());
      if (c == '\\') {
        read_escape(to);
      } else if (c == '\n' || c == '\r') {
        fail(start, "This string does not end in its line; a line break inside a string is written '\\n'.");
      } else if (c == '\0') {
        fail(at_, "There is a NUL character here.");
      } else if (c < 0x20) {
        fail(at_, "A tab or other control character inside a string is written as an escape, such as '\\t'.");
      } else {
        const std::size_t length = utf8_length(rest());
        if (length == 0) fail(at_, "This byte is not UTF-8; save the file as UTF-8.");
        to += rest().substr(0, length);
        at_ += length;
      }
    }
    if (!take('"')) fail(start, "This string does not end.");
  }

  void read_escape(std::string& to) {
    constexpr std::string_view letters = "\"\\/bfnrt";
    constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
    const std::size_t start = at_++;
    if (const std::size_t found = at_end() ? std::string_view::npos : letters.find(peek());
        found != std::string_view::npos) {
      to += meanings[found];
      ++at_;
      return;
    }
    if (!take('u')) fail(start, "A '\\' inside a string is written '\\\\'.");
    unsigned code = read_hex(start);
    if (code >= 0xD800 && code < 0xDC00) {
      const unsigned low = take('\\') && take('u') ? read_hex(start) : 0;
      if (low < 0xDC00 || low > 0xDFFF)
        fail(start, "This '\\u' begins a surrogate pair, and its second half is missing.");
      code = 0x10000 + ((code - 0xD800) << 10U) + (low - 0xDC00);
    } else if (code >= 0xDC00 && code < 0xE000) {
      fail(start, "This '\\u' is the second half of a surrogate pair, and the first is missing.");
    }
    append_utf8(to, code);
  }

  unsigned read_hex(std::size_t start) {
    unsigned code = 0;
    const std::string_view digits = rest().substr(0, 4);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    if (digits.size() != 4 || error != std::errc() || end != digits.data() + 4) {
      fail(start, "After '\\u' stand four hexadecimal digits.");
    }
    at_ += 4;
    return code;
  }

  [[noreturn]] void fail_number() {
    fail(at_, "This is no number as JSON writes it; any other text stands in double quotes.");
  }

  void read_number(Node& node) {
    const std::string_view text = rest().substr(0, rest().find_first_not_of(number_characters));
    if (!is_json_number(text)) fail_number();
    const char* const end = text.data() + text.size();
    if (const auto [stop, error] = std::from_chars(text.data(), end, node.integer);
        error == std::errc() && stop == end) {
      node.kind = Node::Kind::integer;
      node.number = static_cast<double>(node.integer);
    } else {
      node.kind = Node::Kind::number;
      node.integer = 0;
      const bool is_tiny = text.find_first_of("eE") != std::string_view::npos
                               ? text.find("e-") != std::string_view::npos || text.find("E-") != std::string_view::npos
                               : text.find('.') != std::string_view::npos;
      if (std::from_chars(text.data(), end, node.number).ec != std::errc() && !is_tiny) {
        node.unresolved = true;
        if (!full()) {
          ConfigProblem problem{.pointer = pointer(), .text = "This number is too large."};
          name_place(problem);
          add_problem(at_, std::move(problem));
        }
      }
    }
    at_ += text.size();
  }

  // Where it stands

  [[nodiscard]] std::string pointer() const {
    std::string result;
    for (const std::string& part : path_) result = pointer_to(result, part);
    return result;
  }

  /// Broker, section and key, as the loader will name them.
  void name_place(ConfigProblem& problem) const {
    auto part = path_.begin();
    if (part != path_.end() && *part == "ACTION_TRIGGERS") ++part;
    if (part != path_.end() && (*part == "brokers" || *part == "ACTION_BROKERS") && ++part != path_.end()) {
      problem.broker = *part++;
    }
    if (part != path_.end() && std::next(part) != path_.end()) problem.section = *part++;
    for (; part != path_.end(); ++part) problem.key += (problem.key.empty() ? "" : ".") + *part;
  }

  const std::string_view text_;
  const TextPositions& positions_;
  std::vector<ConfigProblem>& problems_;
  std::size_t at_ = 0;
  std::size_t value_end_ = 0;      // of the value before
  std::vector<std::size_t> open_;  // where the objects and lists begin that have not ended
  std::vector<std::string> path_;
};

}  // namespace

const Node* Node::find(std::string_view key) const noexcept {
  const auto found =
      std::find_if(members.begin(), members.end(), [&](const Member& member) { return member.key == key; });
  return found == members.end() ? nullptr : &found->value;
}

TextPositions::TextPositions(std::string_view text) : line_starts_{0} {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') line_starts_.push_back(i + 1);
  }
}

void TextPositions::locate(std::size_t offset, ConfigProblem& problem) const {
  const auto next = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
  problem.line = static_cast<std::size_t>(next - line_starts_.begin());
  problem.column = offset - *std::prev(next) + 1;
}

Node parse_document(std::string_view text, const TextPositions& positions, std::vector<ConfigProblem>& problems) {
  return Parser(text, positions, problems).parse();
}

std::string pointer_to(std::string_view parent, std::string_view key) {
  std::string result = std::string(parent) + "/";
  for (const char c : key) {
    if (c == '~') {
      result += "~0";
    } else if (c == '/') {
      result += "~1";
    } else {
      result += c;
    }
  }
  return result;
}

std::string pointer_to(std::string_view parent, std::size_t index) {
  return std::string(parent) + "/" + std::to_string(index);
}

std::string quote_json(std::string_view text) {
  return json(std::string(text)).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string canonical_text(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      return "null";
    case Node::Kind::boolean:
      return node.boolean ? "true" : "false";
    case Node::Kind::integer:
      return std::to_string(node.integer);
    case Node::Kind::number:
      return json(node.number).dump();
    case Node::Kind::string:
      return quote_json(node.string);
    case Node::Kind::array: {
      std::string text = "[";
      for (const Node& item : node.items) text += (text.size() > 1 ? "," : "") + canonical_text(item);
      return text + "]";
    }
    case Node::Kind::object: {
      std::vector<const Member*> members;
      for (const Member& member : node.members) members.push_back(&member);
      std::sort(members.begin(), members.end(), [](const Member* a, const Member* b) { return a->key < b->key; });
      std::string text = "{";
      for (const Member* member : members) {
        text += (text.size() > 1 ? "," : "") + quote_json(member->key) + ":" + canonical_text(member->value);
      }
      return text + "}";
    }
  }
  return {};
}

}  // namespace action_triggers::detail
