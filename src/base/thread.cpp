// SPDX-License-Identifier: MIT
#include "base/thread.hpp"

#include <pthread.h>
#include <signal.h>

#include <memory>
#include <system_error>
#include <utility>

namespace action_triggers::detail {
namespace {

constexpr std::size_t stack_bytes = 16UL * 1024UL * 1024UL;  // address space, not memory

struct Start {
  std::string name;
  std::function<void()> body;
};

extern "C" void* action_triggers_thread_main(void* argument) {
  const std::unique_ptr<Start> start(static_cast<Start*>(argument));
  pthread_setname_np(pthread_self(), start->name.substr(0, 15).c_str());
  start->body();
  return nullptr;
}

}  // namespace

Thread::Thread(const std::string& name, std::function<void()> body) {
  auto start = std::make_unique<Start>(Start{name, std::move(body)});
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, stack_bytes);
  // The application's signal handlers run on the application's threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP}) sigdelset(&all, fault);  // the thread's own
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int error = pthread_create(&handle_, &attributes, action_triggers_thread_main, start.get());
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  if (error != 0)
    throw std::system_error(error, std::generic_category(),
                            "cannot start the thread " + name + " (ulimit -u, or the container's limit)");
  static_cast<void>(start.release());  // the thread's now
  running_ = true;
}

Thread::Thread(Thread&& other) noexcept : handle_(other.handle_), running_(std::exchange(other.running_, false)) {}

Thread& Thread::operator=(Thread&& other) noexcept {
  std::swap(handle_, other.handle_);
  std::swap(running_, other.running_);
  return *this;
}

Thread::~Thread() {
  if (running_) join();
}

void Thread::join() {
  pthread_join(handle_, nullptr);
  running_ = false;
}

void Thread::detach() {
  pthread_detach(handle_);
  running_ = false;
}

bool Thread::is_current() const noexcept { return running_ && pthread_equal(handle_, pthread_self()) != 0; }

}  // namespace action_triggers::detail
