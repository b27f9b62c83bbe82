// SPDX-License-Identifier: MIT
/// A system that has no thread left for librdkafka.
#pragma once

namespace action_triggers::tests {

/// Of the C11 threads that this program makes from now on, the first `possible` begin, and `impossible` after them do
/// not. Programs with it link support/scarce_threads.cpp.
void make_threads_scarce(int possible, int impossible);

}  // namespace action_triggers::tests
