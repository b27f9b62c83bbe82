// SPDX-License-Identifier: MIT
/// What fire() and emit() take beside a Message and text, of a dispatcher and of a commit scope alike: payload types of
/// the application's own, and bytes.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <ranges>
#include <string_view>
#include <utility>

#include "action_triggers/delivery.hpp"
#include "action_triggers/emission.hpp"
#include "action_triggers/message_converter.hpp"

namespace action_triggers {

/// A base of `Self`, which has fire() and emit() of a Message and of a std::string_view, each with and without a
/// callback, and brings these in with `using`. They promise what those promise.
template <class Self>
class FireOverloads {
 public:
  /// A payload type that has a MessageConverter.
  template <ConvertibleToMessage T>
  Delivery fire(std::string_view destination, const T& payload) {
    return self().fire(destination, MessageConverter<T>::to_message(payload));
  }
  template <ConvertibleToMessage T>
  Delivery fire(std::string_view destination, const T& payload, DeliveryCallback callback) {
    return self().fire(destination, MessageConverter<T>::to_message(payload), std::move(callback));
  }
  template <ConvertibleToMessage T>
  Emission emit(std::string_view event, const T& payload) {
    return self().emit(event, MessageConverter<T>::to_message(payload));
  }
  template <ConvertibleToMessage T>
  Emission emit(std::string_view event, const T& payload, DeliveryCallback callback) {
    return self().emit(event, MessageConverter<T>::to_message(payload), std::move(callback));
  }

  /// These do not compile: write the type. `{{"order", 42}}` would be a std::string of 42 bytes from the address of
  /// "order", `0` and `nullptr` a string at no address. `{.body = "…"}` and `nlohmann::json{{"order", 42}}` are well.
  template <class... Rest>
  Delivery fire(std::string_view destination, std::initializer_list<detail::BracesWithoutType>, Rest&&...) = delete;
  template <class... Rest>
  Delivery fire(std::string_view destination, std::nullptr_t, Rest&&...) = delete;
  template <class... Rest>
  Delivery fire(std::initializer_list<detail::BracesWithoutType>, Rest&&...) = delete;
  template <class... Rest>
  Delivery fire(std::nullptr_t, Rest&&...) = delete;
  template <class... Rest>
  Emission emit(std::string_view event, std::initializer_list<detail::BracesWithoutType>, Rest&&...) = delete;
  template <class... Rest>
  Emission emit(std::string_view event, std::nullptr_t, Rest&&...) = delete;
  template <class... Rest>
  Emission emit(std::initializer_list<detail::BracesWithoutType>, Rest&&...) = delete;
  template <class... Rest>
  Emission emit(std::nullptr_t, Rest&&...) = delete;

  /// The same for bytes.
  template <ByteSequence T>
  Delivery fire(std::string_view destination, const T& body) {
    return self().fire(destination, as_text(body));
  }
  template <ByteSequence T>
  Delivery fire(std::string_view destination, const T& body, DeliveryCallback callback) {
    return self().fire(destination, as_text(body), std::move(callback));
  }
  template <ByteSequence T>
  Emission emit(std::string_view event, const T& payload) {
    return self().emit(event, as_text(payload));
  }
  template <ByteSequence T>
  Emission emit(std::string_view event, const T& payload, DeliveryCallback callback) {
    return self().emit(event, as_text(payload), std::move(callback));
  }

 private:
  friend Self;
  FireOverloads() = default;
  [[nodiscard]] Self& self() noexcept { return static_cast<Self&>(*this); }
  template <class Bytes>
  static std::string_view as_text(const Bytes& bytes) noexcept {
    return {reinterpret_cast<const char*>(std::ranges::data(bytes)), std::ranges::size(bytes)};
  }
};

}  // namespace action_triggers
