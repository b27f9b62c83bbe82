// SPDX-License-Identifier: MIT
#include "triggers/template_renderer.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <new>
#include <optional>

#include "triggers/json_escape.hpp"

namespace action_triggers::detail {

std::string_view time_text(std::chrono::sys_time<std::chrono::milliseconds> time, std::array<char, 24>& text) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  std::copy_n("0000-00-00T00:00:00.000Z", text.size(), text.begin());
  const auto write = [&](std::size_t begin, std::size_t end, unsigned value) {
    for (; end-- > begin; value /= 10) text[end] = static_cast<char>('0' + value % 10);
  };
  write(0, 4, static_cast<unsigned>(static_cast<int>(date.year())));
  write(5, 7, static_cast<unsigned>(date.month()));
  write(8, 10, static_cast<unsigned>(date.day()));
  write(11, 13, static_cast<unsigned>(clock.hours().count()));
  write(14, 16, static_cast<unsigned>(clock.minutes().count()));
  write(17, 19, static_cast<unsigned>(clock.seconds().count()));
  write(20, 23, static_cast<unsigned>(clock.subseconds().count()));
  return {text.data(), text.size()};
}

namespace {

using PieceKind = TemplatePiece::Kind;

class Rendering {
 public:
  Rendering(EventView& event, std::string& to, std::string& error) : event_(event), to_(to), error_(error) {}

  bool append(const TemplatePiece& piece) {
    switch (piece.kind) {
      case PieceKind::literal:
        to_ += piece.text;
        return true;
      case PieceKind::pointer:
      case PieceKind::payload:
        return append_from_payload(piece);
      case PieceKind::event_name:
        return append_text(piece, event_.name());
      case PieceKind::event_id:
        return append_text(piece, event_.id());
      case PieceKind::event_time: {
        std::array<char, 24> text{};
        return append_text(piece, time_text(event_.time(), text));
      }
      case PieceKind::message_key:
        return event_.key().empty() ? append_fallback(piece) : append_text(piece, event_.key());
      case PieceKind::message_header:
        return append_header(piece);
      case PieceKind::registered:
        return append_registered(piece);
    }
    return false;
  }

 private:
  bool fail(std::string text) {
    error_ = std::move(text);
    return false;
  }

  bool append_fallback(const TemplatePiece& piece) {
    if (!piece.fallback) return fail(piece.text + " is missing.");
    to_ += *piece.fallback;
    return true;
  }

  bool append_text(const TemplatePiece& piece, std::string_view text) {
    if (piece.place == TemplatePlace::text) {
      to_ += text;
      return true;
    }
    const bool with_quotes = piece.place == TemplatePlace::json_value;
    if (with_quotes) to_ += '"';
    const std::size_t wrong = append_escaped(to_, text);
    if (wrong != std::string_view::npos) {
      return fail(piece.text + " is not UTF-8 at byte " + std::to_string(wrong) + ", and JSON has to be.");
    }
    if (with_quotes) to_ += '"';
    return true;
  }

  bool append_from_payload(const TemplatePiece& piece) {
    const PayloadJson* const json = event_.json();
    if (json == nullptr) return fail(event_.json_error());
    std::optional<PayloadJson::Value> value = json->root();
    for (const PointerToken& token : piece.pointer) {
      if (value->kind() == JsonKind::object) {
        value = value->member(token.key);
      } else {
        value = token.index ? value->element(*token.index) : std::nullopt;
      }
      if (!value) return append_fallback(piece);
    }
    append_json(piece, *value);
    return true;
  }

  /// What comes from the payload is JSON already: strings need no new escapes.
  void append_json(const TemplatePiece& piece, const PayloadJson::Value& value) {
    const bool is_string = value.kind() == JsonKind::string;
    if (is_string && piece.place == TemplatePlace::text) {
      std::string scratch;
      to_ += value.text(scratch);
    } else if (is_string && piece.place == TemplatePlace::json_string) {
      to_ += value.raw().substr(1, value.raw().size() - 2);  // without its quotes
    } else if (piece.place == TemplatePlace::json_string) {
      append_escaped(to_, value.raw());
    } else {
      to_ += value.raw();
    }
  }

  /// A header that is a number, a boolean or a list keeps its type, as a value of the payload does.
  bool append_header(const TemplatePiece& piece) {
    const Header* const header = event_.header(piece.header);
    if (header == nullptr) return append_fallback(piece);
    if (header->type == HeaderType::text || piece.place != TemplatePlace::json_value) {
      return append_text(piece, header->value);
    }
    PayloadJson json;
    if (!json.read(header->value)) return fail(piece.text + " is not what its type says.");
    to_ += json.root().raw();
    return true;
  }

  bool append_registered(const TemplatePiece& piece) {
    std::string value;
    try {
      value = piece.value();
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::exception& exception) {
      return fail("The value of '" + piece.text + "' could not be had: " + exception.what());
    } catch (...) {
      return fail("The value of '" + piece.text + "' could not be had.");
    }
    return append_text(piece, value);
  }

  EventView& event_;
  std::string& to_;
  std::string& error_;
};

}  // namespace

bool render(const TemplatePieces& pieces, EventView& event, std::string& to, std::string& error) {
  const std::size_t before = to.size();
  Rendering rendering(event, to, error);
  for (const TemplatePiece& piece : pieces) {
    if (!rendering.append(piece)) return false;
    if (to.size() - before > max_rendered_bytes) {
      error = "What the template becomes is longer than 1 GiB.";
      return false;
    }
  }
  return true;
}

bool needs_json(const TemplatePieces& pieces) noexcept {
  return std::any_of(pieces.begin(), pieces.end(), [](const TemplatePiece& piece) {
    return piece.kind == PieceKind::pointer || piece.kind == PieceKind::payload;
  });
}

}  // namespace action_triggers::detail
