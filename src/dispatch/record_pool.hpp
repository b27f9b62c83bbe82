// SPDX-License-Identifier: MIT
/// Memory for records. They are made by the threads that fire and freed by lanes, which is what malloc is worst at:
/// here freed blocks go back to the firing threads in batches.
///
/// Blocks are kept in sizes up to 4 KiB, in a cache of each thread and in a depot that all threads share; at most
/// 32 MiB in all. What is larger, and what there is no room to keep, is malloc's.
#pragma once

#include <cstddef>

namespace action_triggers::detail {

/// Any thread, also while it ends. Throws std::bad_alloc.
void* allocate_record(std::size_t bytes);

/// `bytes` as allocate_record() was given.
void free_record(void* memory, std::size_t bytes) noexcept;

}  // namespace action_triggers::detail
