// SPDX-License-Identifier: MIT
/// A TCP proxy on the loopback interface that misbehaves on demand.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>

namespace action_triggers::tests {

/// Forwards to one target. Members may be called from any thread; what they set holds for connections that exist and
/// for those to come, until it is set otherwise. heal() undoes all of it.
class FaultProxy {
 public:
  /// Listens on `port`; 0: on a free one.
  FaultProxy(std::string target_host, int target_port, int port = 0);
  ~FaultProxy();
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;

  [[nodiscard]] int port() const { return port_; }
  /// Connections that reached the target so far.
  [[nodiscard]] int connections_made() const { return connections_made_; }

  /// Ends every connection with a TCP reset.
  void reset_all();
  /// Towards the client: end of file. What the client sends is still read, and thrown away.
  void half_close_all();

  /// Nothing passes in either direction, and nobody is told.
  void black_hole();
  /// New connections are accepted, and then nothing happens. Those that exist go on.
  void accept_and_stay_silent();
  /// New connections are refused. Those that exist go on.
  void refuse();
  /// What the client sends passes; what the server answers is thrown away.
  void drop_answers();
  /// Everything is late by this much.
  void delay(std::chrono::milliseconds by);
  /// At most so many bytes a second in each direction of each connection.
  void limit_bandwidth(std::size_t bytes_per_second);
  /// Each connection is reset after exactly so many bytes from the client, counted from now.
  void cut_after(std::size_t bytes);
  /// … from the server.
  void cut_answers_after(std::size_t bytes);
  /// Connections that such a limit has ended.
  [[nodiscard]] int connections_cut() const { return connections_cut_; }
  /// Bytes that clients have sent so far.
  [[nodiscard]] std::size_t bytes_taken() const { return bytes_taken_; }

  void heal();

 private:
  using Clock = std::chrono::steady_clock;
  struct Chunk {
    std::string bytes;
    Clock::time_point due;
  };
  struct Direction {
    std::deque<Chunk> waiting;
    std::size_t waiting_bytes = 0;
    std::size_t bytes = 0;  // read, since cut_after() or the connection's beginning
    bool ended = false;     // the source has
    bool shut = false;      // the sink has been told
    Clock::time_point next_allowed;
  };
  struct Link {
    int client = -1;
    int server = -1;  // -1: silent
    Direction up;     // client → server
    Direction down;
    bool half_closed = false;
  };
  struct Faults {
    bool black_hole = false;
    bool silent = false;
    bool refuse = false;
    bool drop_answers = false;
    std::chrono::milliseconds delay{0};
    std::size_t bandwidth = 0;
    std::size_t cut_after = 0;
    std::size_t cut_answers_after = 0;
    int resets = 0;  // counts requests
    int half_closes = 0;
    int cuts = 0;
  };

  struct Reading {
    std::chrono::milliseconds delay;
    std::size_t limit;  // of the direction's bytes; 0: none
    bool discard;
  };

  void set(const std::function<void(Faults&)>& change);
  void run();
  void listen_again();
  void accept_one(const Faults& faults);
  bool serve(Link& link, const Faults& faults);  // false: it is over
  static bool read_from(int source, Direction& direction, const Reading& how);
  static bool write_to(int sink, Direction& direction, const Faults& faults);
  static void close_link(Link& link, bool reset);

  const std::string host_;
  const int target_port_;
  int listener_ = -1;
  int port_;
  int wake_ = -1;
  std::atomic<int> connections_made_{0};
  std::atomic<int> connections_cut_{0};
  std::atomic<std::size_t> bytes_taken_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  Faults faults_;
  std::list<Link> links_;
  std::thread thread_;
};

}  // namespace action_triggers::tests
