// SPDX-License-Identifier: MIT
/// What fire() and emit() take beside a Message and text, of a dispatcher, a commit scope and a transaction of an
/// outbox alike: payload types of the application's own, and bytes.
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

/// A base of `Self`, which has fire() and emit() of a Message and of a std::string_view, with what they return, and
/// brings these in with `using`. They promise what those promise.
template <class Self, class Fired, class Emitted>
class PayloadOverloads {
 public:
  /// A payload type that has a MessageConverter.
  template <ConvertibleToMessage T>
  Fired fire(std::string_view destination, const T& payload) {
    return self().fire(destination, MessageConverter<T>::to_message(payload));
  }
  template <ConvertibleToMessage T>
  Emitted emit(std::string_view event, const T& payload) {
    return self().emit(event, MessageConverter<T>::to_message(payload));
  }

  /// Bytes.
  template <ByteSequence T>
  Fired fire(std::string_view destination, const T& body) {
    return self().fire(destination, as_text(body));
  }
  template <ByteSequence T>
  Emitted emit(std::string_view event, const T& payload) {
    return self().emit(event, as_text(payload));
  }

  /// These do not compile: write the type. `{{"order", 42}}` would be a std::string of 42 bytes from the address of
  /// "order", `0` and `nullptr` a string at no address. `{.body = "…"}` and `nlohmann::json{{"order", 42}}` are well.
  template <class... Rest>
  Fired fire(std::string_view destination, std::initializer_list<detail::BracesWithoutType>, Rest&&...) = delete;
  template <class... Rest>
  Fired fire(std::string_view destination, std::nullptr_t, Rest&&...) = delete;
  template <class... Rest>
  Fired fire(std::initializer_list<detail::BracesWithoutType>, Rest&&...) = delete;
  template <class... Rest>
  Fired fire(std::nullptr_t, Rest&&...) = delete;
  template <class... Rest>
  Emitted emit(std::string_view event, std::initializer_list<detail::BracesWithoutType>, Rest&&...) = delete;
  template <class... Rest>
  Emitted emit(std::string_view event, std::nullptr_t, Rest&&...) = delete;
  template <class... Rest>
  Emitted emit(std::initializer_list<detail::BracesWithoutType>, Rest&&...) = delete;
  template <class... Rest>
  Emitted emit(std::nullptr_t, Rest&&...) = delete;

 protected:
  PayloadOverloads() = default;
  ~PayloadOverloads() = default;
  [[nodiscard]] Self& self() noexcept { return static_cast<Self&>(*this); }
  template <class Bytes>
  static std::string_view as_text(const Bytes& bytes) noexcept {
    return {reinterpret_cast<const char*>(std::ranges::data(bytes)), std::ranges::size(bytes)};
  }
};

/// The same with callbacks, where `Self` takes them.
template <class Self>
class FireOverloads : public PayloadOverloads<Self, Delivery, Emission> {
 public:
  using PayloadOverloads<Self, Delivery, Emission>::emit;
  using PayloadOverloads<Self, Delivery, Emission>::fire;

  template <ConvertibleToMessage T>
  Delivery fire(std::string_view destination, const T& payload, DeliveryCallback callback) {
    return this->self().fire(destination, MessageConverter<T>::to_message(payload), std::move(callback));
  }
  template <ConvertibleToMessage T>
  Emission emit(std::string_view event, const T& payload, const DeliveryCallback& callback) {
    return this->self().emit(event, MessageConverter<T>::to_message(payload), callback);
  }
  template <ByteSequence T>
  Delivery fire(std::string_view destination, const T& body, DeliveryCallback callback) {
    return this->self().fire(destination, this->as_text(body), std::move(callback));
  }
  template <ByteSequence T>
  Emission emit(std::string_view event, const T& payload, const DeliveryCallback& callback) {
    return this->self().emit(event, this->as_text(payload), callback);
  }

 protected:
  FireOverloads() = default;
  ~FireOverloads() = default;
};

}  // namespace action_triggers
