// SPDX-License-Identifier: MIT
/// Memory for records. They are made by the threads that fire and freed by lanes, which is what malloc is worst at:
/// here freed blocks go back to the firing threads in batches.
///
/// Blocks are kept in sizes of 256 bytes to 4 KiB, four for each doubling, in a cache of each thread and in a depot
/// that all threads share; at most 32 MiB in all. What is larger, and what there is no room to keep, is malloc's.
#pragma once

#include <cstddef>
#include <cstdint>

namespace action_triggers::detail {

/// What allocate_record() would answer.
std::uint8_t size_class_of(std::size_t bytes) noexcept;

struct RecordMemory {
  void* block;
  std::uint8_t size_class;  // what free_record() wants to know
};

/// Any thread, also while it ends. Throws std::bad_alloc.
RecordMemory allocate_record(std::size_t bytes);

void free_record(void* block, std::uint8_t size_class) noexcept;

}  // namespace action_triggers::detail
