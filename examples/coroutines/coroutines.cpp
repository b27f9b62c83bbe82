// SPDX-License-Identifier: MIT
// A hook that is a coroutine: it fires, does other things, and goes on with the outcome, on the application's own
// thread.
#include <action_triggers/action_triggers.hpp>
#include <action_triggers/async.hpp>
#include <condition_variable>
#include <coroutine>
#include <deque>
#include <exception>
#include <functional>
#include <iostream>
#include <mutex>
#include <string>
#include <utility>

namespace at = action_triggers;

namespace {

/// The application's one thread, which runs what it is given: in place of your framework's loop.
class Loop {
 public:
  void post(std::function<void()> task) {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    changed_.notify_one();
  }
  void run_until(const std::function<bool()>& is_done) {
    while (!is_done()) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !tasks_.empty(); });
      const std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
};

/// A coroutine that nobody waits for. Your framework has a type for it; this is the smallest one.
struct Background {
  struct promise_type {
    Background get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const { std::terminate(); }
  };
};

// Arguments are taken by value: the coroutine outlives the call.
Background place_order(at::TriggerDispatcher& dispatcher, int number, std::string mail_to, int& open_orders) {
  const at::Message order{.body = R"({"id": )" + std::to_string(number) + "}", .key = std::to_string(number)};
  // Both are under way before the first one is waited for.
  at::FiredMessage event = at::fire_async(dispatcher, "order_events", order);
  at::FiredMessage mail = at::fire_async(dispatcher, mail_to, order);
  std::cout << "order " << number << " is placed\n";

  const at::DeliveryReport of_event = co_await event;
  at::DeliveryReport of_mail = co_await mail;
  if (!of_mail.status.ok()) {
    std::cout << "order " << number << ": " << of_mail.status << '\n';
    at::FiredMessage again = at::fire_async(dispatcher, "order_mails", order);
    of_mail = co_await again;
  }
  std::cout << "order " << number << ": event " << of_event.status << ", mail " << of_mail.status << '\n';
  --open_orders;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    Loop loop;  // outlives the dispatcher
    at::DispatcherOptions options;
    // Coroutines go on where callbacks run: without this on a lane's thread, where they must be short.
    options.executor = [&loop](std::function<void()> task) { loop.post(std::move(task)); };
    at::TriggerDispatcher dispatcher(at::load_config(argc > 1 ? argv[1] : "brokers.json"), std::move(options));

    int open_orders = 2;
    place_order(dispatcher, 1, "order_mails", open_orders);
    loop.run_until([&] { return open_orders == 1; });
    place_order(dispatcher, 2, "order_mials", open_orders);  // a slip
    loop.run_until([&] { return open_orders == 0; });
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
