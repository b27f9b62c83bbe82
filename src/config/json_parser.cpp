// SPDX-License-Identifier: MIT
#include "config/json_parser.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <iterator>
#include <string>
#include <unordered_map>
#include <utility>

#include "config/json_text.hpp"

namespace action_triggers::detail {
namespace {

constexpr std::size_t longest_key = 1024;  // pointers and error texts are made of keys

/// Broker, section and key of a value, as the loader will name them.
void name_place(const std::vector<std::string>& path, ConfigProblem& problem) {
  auto part = path.begin();
  if (part != path.end() && *part == "ACTION_TRIGGERS") ++part;
  if (part != path.end() && (*part == "brokers" || *part == "ACTION_BROKERS") && ++part != path.end()) {
    problem.broker = *part++;
  }
  if (part != path.end() && std::next(part) != path.end()) problem.section = *part++;
  for (; part != path.end(); ++part) problem.key += (problem.key.empty() ? "" : ".") + *part;
}

/// Recursive descent. After a syntax error there is no tree: reading stops by an exception of its own.
class JsonParser {
 public:
  JsonParser(std::string_view text, const TextPositions& positions, std::vector<ConfigProblem>& problems)
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
  [[noreturn]] void fail_unexpected() { fail(at_, wrong_character(rest())); }

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
    if (is_letter(c)) fail(at_, wrong_word(first_word(rest())));
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
    const std::string_view text = first_word(rest());
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
          name_place(path_, problem);
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

  const std::string_view text_;
  const TextPositions& positions_;
  std::vector<ConfigProblem>& problems_;
  std::size_t at_ = 0;
  std::size_t value_end_ = 0;      // of the value before
  std::vector<std::size_t> open_;  // where the objects and lists begin that have not ended
  std::vector<std::string> path_;
};

}  // namespace

Node parse_document(std::string_view text, const TextPositions& positions, std::vector<ConfigProblem>& problems) {
  return JsonParser(text, positions, problems).parse();
}

}  // namespace action_triggers::detail
