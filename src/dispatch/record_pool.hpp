// SPDX-License-Identifier: MIT
/// Memory for records. They are made by the threads that fire and freed by lanes, which is what malloc is worst at:
/// here freed blocks go back to the firing threads in batches.
///
/// Blocks are kept in sizes up to 4 KiB, in a cache of each thread and in a depot that all threads share; at most
/// 32 MiB in all. What is larger, and what there is no room to keep, is malloc's.
#pragma once

#include <cstddef>
#include <cstdint>

namespace action_triggers::detail {

/// What the smallest blocks hold.
constexpr std::size_t smallest_block = 512 - 24;

/// Which of the sizes `bytes` take: what free_record() wants to know.
std::uint8_t size_class_of(std::size_t bytes) noexcept;

/// Any thread, also while it ends. Throws std::bad_alloc.
void* allocate_record(std::size_t bytes);

/// `size_class` of what allocate_record() was given.
void free_record(void* memory, std::uint8_t size_class) noexcept;

}  // namespace action_triggers::detail
