// SPDX-License-Identifier: MIT
// One pass over the text by recursive descent: what is not JSON is found, and each value's place is written down.
#include "triggers/payload_json.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <utility>

#include "config/json_text.hpp"

namespace action_triggers::detail {
namespace {

constexpr std::size_t kept_nodes = 64UL * 1024UL;  // of a larger text they are freed by the next read: 1.5 MiB
constexpr std::size_t first_nodes = 64;

bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

unsigned hex_value(std::string_view four_digits) {
  unsigned code = 0;
  for (const char c : four_digits) {
    code = code * 16U + static_cast<unsigned>(is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  return code;
}

bool is_first_half(unsigned code) { return code >= 0xD800 && code < 0xDC00; }
bool is_second_half(unsigned code) { return code >= 0xDC00 && code < 0xE000; }

/// The characters of a string that was found to be right, without its quotes.
void unescape(std::string_view text, std::string& to) {
  constexpr std::string_view letters = "\"\\/bfnrt";
  constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
  to.clear();
  while (!text.empty()) {
    const std::size_t plain = std::min(text.find('\\'), text.size());
    to.append(text, 0, plain);
    text.remove_prefix(plain);
    if (text.empty()) return;
    if (text[1] != 'u') {
      to += meanings[letters.find(text[1])];
      text.remove_prefix(2);
      continue;
    }
    unsigned code = hex_value(text.substr(2, 4));
    text.remove_prefix(6);
    if (is_first_half(code)) {
      code = 0x10000 + ((code - 0xD800) << 10U) + (hex_value(text.substr(2, 4)) - 0xDC00);
      text.remove_prefix(6);
    }
    append_utf8(to, code);
  }
}

}  // namespace

class PayloadJson::Reader {
 public:
  Reader(std::string_view text, std::vector<Node>& nodes, PayloadJsonError& error)
      : text_(text), nodes_(nodes), error_(error) {}

  bool read() {
    skip_space();
    if (at_ == text_.size()) return fail(at_, "The text is empty.");
    if (!read_value(0, Node())) return false;
    skip_space();
    return at_ == text_.size() || fail(at_, "Something stands after the end of the JSON text.");
  }

 private:
  bool fail(std::size_t offset, const char* text) {
    error_.offset = offset;
    error_.text = text;
    return false;
  }

  /// NUL at the end: it is nowhere allowed.
  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }

  void skip_space() {
    while (!at_end() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) ++at_;
  }

  /// `node` has the key, if the value is an object's member.
  bool read_value(std::size_t depth, Node node) {
    const std::size_t index = count_++;
    if (index == nodes_.size()) nodes_.resize(std::max(first_nodes, 2 * index));
    node.begin = static_cast<std::uint32_t>(at_);
    const char c = peek();
    bool good = false;
    if (c == '"') {
      node.kind = JsonKind::string;
      good = read_string(node.has_escapes);
    } else if (is_digit(c) || c == '-') {
      node.kind = JsonKind::number;
      good = read_number();
    } else if (c == '{') {
      node.kind = JsonKind::object;
      good = read_inside('}', depth);
    } else if (c == '[') {
      node.kind = JsonKind::array;
      good = read_inside(']', depth);
    } else {
      node.kind = c == 'n' ? JsonKind::null : JsonKind::boolean;
      good = read_word(c == 'n' ? "null" : c == 't' ? "true" : "false");
    }
    node.end = static_cast<std::uint32_t>(at_);
    node.after = static_cast<std::uint32_t>(count_);
    nodes_[index] = node;
    return good;
  }

  bool read_word(std::string_view word) {
    if (text_.substr(at_, word.size()) == word) {
      at_ += word.size();
      return true;
    }
    if (at_end()) return fail(at_, "The text ends where a value is expected.");
    return fail(at_, "No value begins here.");
  }

  /// From an object's or array's first bracket to behind its last.
  bool read_inside(char end, std::size_t depth) {
    if (depth == max_depth) return fail(at_, "The text is nested deeper than 64 levels.");
    ++at_;
    skip_space();
    if (peek() == end) {
      ++at_;
      return true;
    }
    while (true) {
      Node node;
      if (end == '}' && !read_key(node)) return false;
      if (!read_value(depth + 1, node)) return false;
      skip_space();
      if (peek() == ',') {
        ++at_;
        skip_space();
      } else if (peek() == end) {
        ++at_;
        return true;
      } else {
        return fail(at_, at_end()     ? "The text ends inside an object or array."
                         : end == '}' ? "A ',' or '}' is expected here."
                                      : "A ',' or ']' is expected here.");
      }
    }
  }

  bool read_key(Node& node) {
    if (peek() != '"')
      return fail(at_, at_end() ? "The text ends inside an object." : "A key in '\"' is expected here.");
    node.key_begin = static_cast<std::uint32_t>(at_ + 1);
    if (!read_string(node.key_has_escapes)) return false;
    node.key_size = static_cast<std::uint32_t>(at_ - 1 - node.key_begin);
    skip_space();
    if (peek() != ':') return fail(at_, "A ':' is expected here, after the key.");
    ++at_;
    skip_space();
    return true;
  }

  bool read_string(bool& has_escapes) {
    const std::size_t start = at_++;
    while (true) {
      const char c = peek();
      if (c == '"') {
        ++at_;
        return true;
      }
      if (c == '\\') {
        has_escapes = true;
        if (!read_escape()) return false;
      } else if (static_cast<unsigned char>(c) < 0x20) {
        return at_end() ? fail(start, "This string does not end.")
                        : fail(at_, "A control character inside a string is written as an escape.");
      } else {
        const std::size_t length = utf8_length(text_.substr(at_, 4));
        if (length == 0) return fail(at_, "This byte is not UTF-8.");
        at_ += length;
      }
    }
  }

  bool read_escape() {
    const std::size_t start = at_++;
    const char c = peek();
    if (c != 'u') {
      if (c == '\0' || std::strchr("\"\\/bfnrt", c) == nullptr) return fail(start, "There is no such escape.");
      ++at_;
      return true;
    }
    const std::optional<unsigned> code = read_unicode();
    if (!code) return fail(start, "After '\\u' stand four hexadecimal digits.");
    if (is_second_half(*code)) return fail(start, "This is the second half of a surrogate pair without its first.");
    if (!is_first_half(*code)) return true;
    std::optional<unsigned> second;
    if (peek() == '\\') {
      ++at_;
      second = read_unicode();
    }
    return (second && is_second_half(*second)) ||
           fail(start, "This is the first half of a surrogate pair without its second.");
  }

  /// From the 'u' on.
  std::optional<unsigned> read_unicode() {
    const std::string_view digits = text_.substr(std::min(at_ + 1, text_.size()), 4);
    if (peek() != 'u' || digits.size() != 4 || !std::all_of(digits.begin(), digits.end(), is_hex)) return std::nullopt;
    at_ += 5;
    return hex_value(digits);
  }

  bool read_digits() {
    if (!is_digit(peek())) return fail(at_, "A digit is expected here.");
    while (is_digit(peek())) ++at_;
    return true;
  }

  bool read_number() {
    if (peek() == '-') ++at_;
    if (peek() == '0') {
      ++at_;
      if (is_digit(peek())) return fail(at_ - 1, "A number does not begin with 0.");
    } else if (!read_digits()) {
      return false;
    }
    if (peek() == '.') {
      ++at_;
      if (!read_digits()) return false;
    }
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (!read_digits()) return false;
    }
    return true;
  }

  const std::string_view text_;
  std::vector<Node>& nodes_;  // those before count_ count
  PayloadJsonError& error_;
  std::size_t at_ = 0;
  std::size_t count_ = 0;
};

bool PayloadJson::read(std::string_view text) {
  text_ = text;
  error_.offset = 0;
  error_.text.clear();
  if (text.size() > std::numeric_limits<std::uint32_t>::max()) {
    error_.text = "The text is larger than 4 GiB.";
    return false;
  }
  if (nodes_.size() > kept_nodes) nodes_ = {};
  return Reader(text, nodes_, error_).read();
}

PayloadJson::Value PayloadJson::root() const noexcept { return Value(*this, 0, nodes_.front().after); }

JsonKind PayloadJson::Value::kind() const noexcept { return json_->nodes_[index_].kind; }

std::string_view PayloadJson::Value::raw() const noexcept {
  const Node& node = json_->nodes_[index_];
  return std::string_view(json_->text_.data() + node.begin, node.end - node.begin);
}

std::string_view PayloadJson::Value::text(std::string& scratch) const {
  std::string_view inside = raw();
  inside.remove_prefix(1);
  inside.remove_suffix(1);
  if (!json_->nodes_[index_].has_escapes) return inside;
  unescape(inside, scratch);
  return scratch;
}

bool PayloadJson::Value::boolean() const noexcept { return raw().front() == 't'; }

std::optional<PayloadJson::Value> PayloadJson::Value::member(std::string_view key) const {
  const Node& object = json_->nodes_[index_];
  if (object.kind != JsonKind::object) return std::nullopt;
  std::optional<Value> found;
  std::string scratch;
  for (std::uint32_t i = index_ + 1; i < object.after; i = json_->nodes_[i].after) {
    const Node& node = json_->nodes_[i];
    const std::string_view name(json_->text_.data() + node.key_begin, node.key_size);
    if (node.key_has_escapes) {
      unescape(name, scratch);
      if (scratch != key) continue;
    } else if (name != key) {
      continue;
    }
    found = Value(*json_, i, object.after);
  }
  return found;
}

std::optional<PayloadJson::Value> PayloadJson::Value::element(std::size_t index) const noexcept {
  if (kind() != JsonKind::array) return std::nullopt;
  std::optional<Value> item = first();
  for (; item && index > 0; --index) item = item->next();
  return item;
}

std::optional<PayloadJson::Value> PayloadJson::Value::first() const noexcept {
  const Node& node = json_->nodes_[index_];
  if (node.after == index_ + 1) return std::nullopt;
  return Value(*json_, index_ + 1, node.after);
}

std::optional<PayloadJson::Value> PayloadJson::Value::next() const noexcept {
  const std::uint32_t index = json_->nodes_[index_].after;
  if (index == end_) return std::nullopt;
  return Value(*json_, index, end_);
}

std::string_view PayloadJson::Value::key(std::string& scratch) const {
  const Node& node = json_->nodes_[index_];
  const std::string_view name(json_->text_.data() + node.key_begin, node.key_size);
  if (!node.key_has_escapes) return name;
  unescape(name, scratch);
  return scratch;
}

}  // namespace action_triggers::detail
