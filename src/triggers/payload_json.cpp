// SPDX-License-Identifier: MIT
// One pass over the text by recursive descent: what is not JSON is found, and each value's place is written down.
#include "triggers/payload_json.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "config/json_text.hpp"

namespace action_triggers::detail {
namespace {

constexpr std::size_t kept_nodes = 64UL * 1024UL;  // 1.5 MiB
constexpr std::size_t first_nodes = 64;

unsigned hex_value(std::string_view four_digits) {
  unsigned code = 0;
  for (const char c : four_digits) {
    code = code * 16U + static_cast<unsigned>(is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  return code;
}

bool is_first_half(unsigned code) { return code >= 0xD800 && code < 0xDC00; }
bool is_second_half(unsigned code) { return code >= 0xDC00 && code < 0xE000; }

constexpr std::string_view escape_letters = "\"\\/bfnrt";

/// Whether it stands for itself in a string.
bool is_plain(char c) { return static_cast<signed char>(c) >= ' ' && c != '"' && c != '\\'; }

constexpr std::uint64_t all_bytes(char c) { return 0x0101010101010101U * static_cast<unsigned char>(c); }

/// The same of eight: a bit in the first byte that is not plain, and in some of those that follow it.
constexpr std::uint64_t special_bytes(std::uint64_t bytes) {
  const std::uint64_t quotes = (bytes ^ all_bytes('"')) - all_bytes(1);  // borrows where a byte is 0
  const std::uint64_t backslashes = (bytes ^ all_bytes('\\')) - all_bytes(1);
  const std::uint64_t controls = bytes - all_bytes(' ');
  return (quotes | backslashes | controls | bytes) & 0x8080808080808080U;
}

/// The characters of a string that was found to be right, without its quotes.
void unescape(std::string_view text, std::string& to) {
  constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
  to.clear();
  while (!text.empty()) {
    const std::size_t plain = std::min(text.find('\\'), text.size());
    to.append(text, 0, plain);
    text.remove_prefix(plain);
    if (text.empty()) return;
    if (text[1] != 'u') {
      to += meanings[escape_letters.find(text[1])];
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

bool is_same_unescaped(std::string_view text, std::string_view wanted) {
  std::string characters;
  unescape(text, characters);
  return characters == wanted;
}

}  // namespace

/// Its functions take where they begin and return where they ended; nullptr: the text is not JSON, and the error is
/// set. So that this place stays in a register, it is no member.
class PayloadJson::Reader {
 public:
  Reader(std::string_view text, std::vector<Node>& nodes, PayloadJsonError& error)
      : begin_(text.data()), end_(text.data() + text.size()), nodes_(nodes), error_(error) {}

  bool read() {
    const char* at = skip_space(begin_);
    if (at == end_) return fail(at, "The text is empty.") != nullptr;
    at = read_value(at, 0, add_node());
    if (at == nullptr) return false;
    at = skip_space(at);
    return at == end_ || fail(at, "Something stands after the end of the JSON text.") != nullptr;
  }

 private:
  [[gnu::cold, gnu::noinline]] const char* fail(const char* at, const char* text) {
    error_.offset = static_cast<std::size_t>(at - begin_);
    error_.text = text;
    return nullptr;
  }

  [[nodiscard]] std::uint32_t offset_of(const char* at) const { return static_cast<std::uint32_t>(at - begin_); }

  /// NUL at the end: it is nowhere allowed.
  [[nodiscard]] char peek(const char* at) const { return at != end_ ? *at : '\0'; }

  [[nodiscard]] const char* skip_space(const char* at) const {
    while (at != end_ && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) ++at;
    return at;
  }

  std::size_t add_node() {
    if (count_ == nodes_.size()) [[unlikely]]
      nodes_.resize(std::max(first_nodes, 2 * count_));
    return count_++;
  }

  /// The node has its key already, if the value is an object's member.
  const char* read_value(const char* at, std::size_t depth, std::size_t index) {
    const char* const begin = at;
    const char c = peek(at);
    JsonKind kind = JsonKind::null;
    bool has_escapes = false;
    if (c == '"') {
      kind = JsonKind::string;
      at = read_string(at, has_escapes);
    } else if (is_digit(c) || c == '-') {
      kind = JsonKind::number;
      at = read_number(at);
    } else if (c == '{') {
      kind = JsonKind::object;
      at = read_object(at, depth);
    } else if (c == '[') {
      kind = JsonKind::array;
      at = read_array(at, depth);
    } else {
      kind = c == 'n' ? JsonKind::null : JsonKind::boolean;
      at = read_word(at, c == 'n' ? "null" : c == 't' ? "true" : "false");
    }
    if (at == nullptr) return nullptr;
    Node& node = nodes_[index];
    node.begin = offset_of(begin);
    node.end = offset_of(at);
    node.after = static_cast<std::uint32_t>(count_);
    node.kind = kind;
    node.has_escapes = has_escapes;
    return at;
  }

  const char* read_word(const char* at, std::string_view word) {
    if (std::string_view(at, static_cast<std::size_t>(end_ - at)).starts_with(word)) return at + word.size();
    return fail(at, at == end_ ? "The text ends where a value is expected." : "No value begins here.");
  }

  const char* read_object(const char* at, std::size_t depth) {
    if (depth == max_depth) return fail(at, too_deep);
    at = skip_space(at + 1);
    if (peek(at) == '}') return at + 1;
    while (true) {
      const std::size_t member = add_node();
      at = read_key(at, nodes_[member]);
      if (at == nullptr) return nullptr;
      at = read_value(at, depth + 1, member);
      if (at == nullptr) return nullptr;
      at = skip_space(at);
      if (peek(at) == '}') return at + 1;
      if (peek(at) != ',') return fail(at, at == end_ ? ends_inside : "A ',' or '}' is expected here.");
      at = skip_space(at + 1);
    }
  }

  const char* read_array(const char* at, std::size_t depth) {
    if (depth == max_depth) return fail(at, too_deep);
    at = skip_space(at + 1);
    if (peek(at) == ']') return at + 1;
    while (true) {
      at = read_value(at, depth + 1, add_node());
      if (at == nullptr) return nullptr;
      at = skip_space(at);
      if (peek(at) == ']') return at + 1;
      if (peek(at) != ',') return fail(at, at == end_ ? ends_inside : "A ',' or ']' is expected here.");
      at = skip_space(at + 1);
    }
  }

  /// Ends where the value begins.
  const char* read_key(const char* at, Node& member) {
    if (peek(at) != '"') return fail(at, at == end_ ? ends_inside : "A key in '\"' is expected here.");
    bool has_escapes = false;
    const char* const behind = read_string(at, has_escapes);
    if (behind == nullptr) return nullptr;
    member.key_has_escapes = has_escapes;
    member.key_begin = offset_of(at) + 1;
    member.key_size = offset_of(behind) - 1 - member.key_begin;
    at = skip_space(behind);
    if (peek(at) != ':') return fail(at, "A ':' is expected here, after the key.");
    return skip_space(at + 1);
  }

  /// Eight bytes at a time, as long as they are ASCII without quotes, escapes and control characters.
  [[nodiscard]] const char* skip_plain(const char* at) const {
    if constexpr (std::endian::native == std::endian::little) {
      while (end_ - at >= 8) {
        std::uint64_t bytes = 0;
        std::memcpy(&bytes, at, sizeof bytes);
        const std::uint64_t special = special_bytes(bytes);
        if (special != 0) return at + std::countr_zero(special) / 8;
        at += 8;
      }
    }
    while (at != end_ && is_plain(*at)) ++at;
    return at;
  }

  const char* read_string(const char* at, bool& has_escapes) {
    const char* const start = at++;
    while (true) {
      at = skip_plain(at);
      if (at == end_) return fail(start, "This string does not end.");
      if (*at == '"') return at + 1;
      if (*at == '\\') {
        has_escapes = true;
        at = read_escape(at);
        if (at == nullptr) return nullptr;
      } else if (static_cast<unsigned char>(*at) < 0x80) {
        return fail(at, "A control character inside a string is written as an escape.");
      } else {
        do {
          const std::size_t length =
              utf8_length({at, static_cast<std::size_t>(std::min<std::ptrdiff_t>(end_ - at, 4))});
          if (length == 0) return fail(at, "This byte is not UTF-8.");
          at += length;
        } while (at != end_ && static_cast<unsigned char>(*at) >= 0x80);
      }
    }
  }

  const char* read_escape(const char* at) {
    const char* const start = at++;
    const char c = peek(at);
    if (c != 'u') {
      return c != '\0' && escape_letters.find(c) != std::string_view::npos ? at + 1
                                                                           : fail(start, "There is no such escape.");
    }
    const std::optional<unsigned> code = read_unicode(at);
    if (!code) return fail(start, "After '\\u' stand four hexadecimal digits.");
    at += 5;
    if (is_second_half(*code)) return fail(start, "This is the second half of a surrogate pair without its first.");
    if (!is_first_half(*code)) return at;
    const std::optional<unsigned> second = peek(at) == '\\' ? read_unicode(at + 1) : std::nullopt;
    if (second && is_second_half(*second)) return at + 6;
    return fail(start, "This is the first half of a surrogate pair without its second.");
  }

  /// The 'u' and its digits.
  [[nodiscard]] std::optional<unsigned> read_unicode(const char* at) const {
    if (end_ - at < 5 || *at != 'u' || !std::all_of(at + 1, at + 5, is_hex_digit)) return std::nullopt;
    return hex_value({at + 1, 4});
  }

  const char* read_digits(const char* at) {
    if (!is_digit(peek(at))) return fail(at, "A digit is expected here.");
    while (is_digit(peek(at))) ++at;
    return at;
  }

  const char* read_number(const char* at) {
    if (*at == '-') ++at;
    if (peek(at) == '0') {
      ++at;
      if (is_digit(peek(at))) return fail(at - 1, "A number does not begin with 0.");
    } else {
      at = read_digits(at);
      if (at == nullptr) return nullptr;
    }
    if (peek(at) == '.') {
      at = read_digits(at + 1);
      if (at == nullptr) return nullptr;
    }
    if (peek(at) == 'e' || peek(at) == 'E') {
      ++at;
      if (peek(at) == '+' || peek(at) == '-') ++at;
      at = read_digits(at);
    }
    return at;
  }

  static constexpr const char* too_deep = "The text is nested deeper than 64 levels.";
  static constexpr const char* ends_inside = "The text ends inside an object or array.";

  const char* const begin_;
  const char* const end_;
  std::vector<Node>& nodes_;  // those before count_ count
  PayloadJsonError& error_;
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
  drop_large();
  return Reader(text, nodes_, error_).read();
}

void PayloadJson::drop_large() noexcept {
  if (nodes_.size() > kept_nodes) std::vector<Node>().swap(nodes_);  // `= {}` would keep the memory
}

PayloadJson::Value PayloadJson::root() const noexcept { return Value(*this, 0, nodes_.front().after); }

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
  const Node* const nodes = json_->nodes_.data();
  const Node& object = nodes[index_];
  if (object.kind != JsonKind::object) return std::nullopt;
  std::uint32_t found = index_;
  for (std::uint32_t i = index_ + 1; i < object.after; i = nodes[i].after) {
    const Node& node = nodes[i];
    // Escapes only make a key longer than its characters.
    if (node.key_size < key.size() || (node.key_size > key.size() && !node.key_has_escapes)) continue;
    const std::string_view name(json_->text_.data() + node.key_begin, node.key_size);
    // Most keys differ in their first character, which costs less than asking memcmp.
    if (node.key_has_escapes ? is_same_unescaped(name, key)
                             : key.empty() || (name.front() == key.front() && name == key)) {
      found = i;
    }
  }
  if (found == index_) return std::nullopt;
  return Value(*json_, found, object.after);
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
