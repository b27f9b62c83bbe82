// SPDX-License-Identifier: MIT
// JSON text to a tree with positions: comments become spaces, nlohmann's SAX parser does the rest.
#include "config/document.hpp"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

namespace action_triggers::detail {
namespace {

using nlohmann::json;

/// Replaces comments by spaces, so that everything else stays where it is.
std::string without_comments(std::string_view text, const TextPositions& positions,
                             std::vector<ConfigProblem>& problems) {
  std::string result(text);
  bool in_string = false;
  for (std::size_t i = 0; i < result.size(); ++i) {
    if (in_string) {
      if (result[i] == '\\') {
        ++i;
      } else if (result[i] == '"' || result[i] == '\n') {
        in_string = false;
      }
      continue;
    }
    if (result[i] == '"') {
      in_string = true;
      continue;
    }
    std::size_t end = i;
    if (result[i] == '#' || result.compare(i, 2, "//") == 0) {
      end = std::min(result.find('\n', i), result.size());
    } else if (result.compare(i, 2, "/*") == 0) {
      end = result.find("*/", i + 2);
      if (end == std::string::npos) {
        ConfigProblem problem{
            .broker = {}, .section = {}, .key = {}, .pointer = {}, .text = "This comment does not end."};
        positions.locate(i, problem);
        problems.push_back(std::move(problem));
        end = result.size();
      } else {
        end += 2;
      }
    }
    for (std::size_t at = i; at < end; ++at) {
      if (result[at] != '\n') result[at] = ' ';
    }
    if (end > i) i = end - 1;
  }
  return result;
}

/// Feeds the parser one character at a time and remembers how far it has read.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, const char** progress) : at_(at), progress_(progress) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    *progress_ = ++at_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  const char** progress_;
};

/// Builds the tree. The JSON library's SAX events carry no positions; each token's start is found by skipping what may
/// stand between tokens, from the end of the one before.
class TreeBuilder {
 public:
  using number_integer_t = json::number_integer_t;
  using number_unsigned_t = json::number_unsigned_t;
  using number_float_t = json::number_float_t;
  using string_t = json::string_t;
  using binary_t = json::binary_t;

  TreeBuilder(std::string_view text, const char* const* progress, const TextPositions& positions,
              std::vector<ConfigProblem>& problems)
      : text_(text), progress_(progress), positions_(positions), problems_(problems) {}

  bool null() {
    return scalar(Node::Kind::null, [](Node&) {});
  }
  bool boolean(bool value) {
    return scalar(Node::Kind::boolean, [&](Node& node) { node.boolean = value; });
  }
  bool number_integer(number_integer_t value) {
    return scalar(Node::Kind::integer, [&](Node& node) {
      node.integer = value;
      node.number = static_cast<double>(value);
    });
  }
  bool number_unsigned(number_unsigned_t value) {
    if (std::in_range<std::int64_t>(value)) return number_integer(static_cast<std::int64_t>(value));
    return number_float(static_cast<double>(value), {});
  }
  bool number_float(number_float_t value, const string_t& /*text*/) {
    return scalar(Node::Kind::number, [&](Node& node) { node.number = value; });
  }
  bool string(string_t& value) {
    return scalar(Node::Kind::string, [&](Node& node) { node.string = std::move(value); });
  }
  bool binary(binary_t& /*value*/) { return false; }  // not in JSON text

  bool start_object(std::size_t /*elements*/) { return open(Node::Kind::object); }
  bool start_array(std::size_t /*elements*/) { return open(Node::Kind::array); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(string_t& value) {
    const std::size_t start = next_token();
    end_token();
    Node& object = *open_.back();
    for (const Member& member : object.members) {
      if (member.key == value) {
        ConfigProblem first;
        positions_.locate(member.key_offset, first);
        add_problem(start, pointer_to(pointer(open_.size() - 1), value),
                    "The key " + quote_json(value) + " stands here twice; it was given first in line " +
                        std::to_string(first.line) + ".");
        break;
      }
    }
    object.members.push_back({.key = std::move(value), .key_offset = start, .value = {}});
    return true;
  }

  bool parse_error(std::size_t position, const std::string& /*token*/, const json::exception& error) {
    std::string text = error.what();
    for (const std::string_view before : {"column ", ": "}) {
      if (const std::size_t at = text.find(before); at != std::string::npos) text.erase(0, at + before.size());
    }
    add_problem(position == 0 ? 0 : position - 1, {}, "Not valid JSON: " + text + ".");
    return false;
  }

  Node take() { return std::move(root_); }

 private:
  template <class Fill>
  bool scalar(Node::Kind kind, Fill&& fill) {
    const std::size_t start = next_token();
    end_token(kind == Node::Kind::integer || kind == Node::Kind::number);
    Node& node = place();
    node.kind = kind;
    node.offset = start;
    fill(node);
    return true;
  }

  bool open(Node::Kind kind) {
    const std::size_t start = next_token();
    end_token();
    Node& node = place();
    node.kind = kind;
    node.offset = start;
    if (open_.size() >= max_config_depth) {
      add_problem(start, pointer(), "Nested deeper than " + std::to_string(max_config_depth) + " levels.");
      return false;
    }
    open_.push_back(&node);  // stays where it is: its siblings come only after it is closed
    return true;
  }

  bool close() {
    next_token();
    end_token();
    open_.pop_back();
    return true;
  }

  Node& place() {
    if (open_.empty()) return root_;
    Node& parent = *open_.back();
    if (parent.is(Node::Kind::object)) return parent.members.back().value;
    return parent.items.emplace_back();
  }

  std::size_t next_token() {
    while (end_ < text_.size() &&
           (std::isspace(static_cast<unsigned char>(text_[end_])) != 0 || text_[end_] == ',' || text_[end_] == ':')) {
      ++end_;
    }
    return end_;
  }
  void end_token(bool is_number = false) {
    if (is_number) {  // the library reads one character too many to see where a number ends
      while (end_ < text_.size() && std::string_view("+-.0123456789eE").find(text_[end_]) != std::string_view::npos)
        ++end_;
    } else {
      end_ = static_cast<std::size_t>(*progress_ - text_.data());
    }
  }

  [[nodiscard]] std::string pointer() const { return pointer(open_.size()); }
  [[nodiscard]] std::string pointer(std::size_t levels) const {
    std::string result;
    for (std::size_t level = 0; level < levels; ++level) {
      const Node* node = open_[level];
      if (node->is(Node::Kind::object)) {
        if (!node->members.empty()) result = pointer_to(result, node->members.back().key);
      } else {
        result = pointer_to(result, node->items.empty() ? 0 : node->items.size() - 1);
      }
    }
    return result;
  }

  void add_problem(std::size_t offset, std::string where, std::string text) {
    ConfigProblem problem{.broker = {}, .section = {}, .key = {}, .pointer = std::move(where), .text = std::move(text)};
    positions_.locate(offset, problem);
    problems_.push_back(std::move(problem));
  }

  const std::string_view text_;
  const char* const* progress_;
  const TextPositions& positions_;
  std::vector<ConfigProblem>& problems_;
  std::size_t end_ = 0;  // of the token before
  Node root_;
  std::vector<Node*> open_;
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
  std::string plain = without_comments(text, positions, problems);
  if (!problems.empty()) return {};
  if (plain.starts_with("\xEF\xBB\xBF")) plain.replace(0, 3, 3, ' ');  // a byte order mark
  if (plain.find_first_not_of(" \t\r\n") == std::string::npos) {
    problems.push_back({.line = 1, .column = 1, .text = "The configuration is empty."});
    return {};
  }
  const char* progress = plain.data();
  TreeBuilder builder(plain, &progress, positions, problems);
  const bool complete = json::sax_parse(CountingIterator(plain.data(), &progress),
                                        CountingIterator(plain.data() + plain.size(), &progress), &builder);
  return complete ? builder.take() : Node();
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
