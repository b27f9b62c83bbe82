// SPDX-License-Identifier: MIT
/// What fire() and emit() take as a payload beside Message and text: an application's own types, and bytes.
#pragma once

#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <ranges>

#include "action_triggers/message.hpp"

namespace action_triggers {

/// How fire() accepts an application's own payload type T: specialise it with a static `Message to_message(const T&)`.
/// json.hpp does so for nlohmann::json.
template <class T>
struct MessageConverter;

template <class T>
concept ConvertibleToMessage = requires(const T& value) {
  { MessageConverter<T>::to_message(value) } -> std::same_as<Message>;
};

namespace detail {
/// What braces may hold, for overloads that take them away from Message and std::string_view.
struct BracesWithoutType {
  template <class... Any>
  BracesWithoutType(const Any&...);  // NOLINT(google-explicit-constructor)
  BracesWithoutType(std::initializer_list<BracesWithoutType>);
};
}  // namespace detail

/// A body as bytes: std::vector<std::byte>, std::span<const std::uint8_t> and the like.
template <class T>
concept ByteSequence = std::ranges::contiguous_range<const T&> && std::ranges::sized_range<const T&> &&
    (std::same_as<std::ranges::range_value_t<const T&>, std::byte> ||
     std::same_as<std::ranges::range_value_t<const T&>, unsigned char>)&&!ConvertibleToMessage<T>;

}  // namespace action_triggers
