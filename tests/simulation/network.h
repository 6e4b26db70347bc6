// Network: the connections of a simulated cluster, as TCP would give them. One connection per
// ordered pair of nodes, dialled by the sender when first needed: requests go out on it, responses
// come back on it. What is sent on one connection arrives in order, unless the weather reorders; a
// connection that lost a piece to a cut delivers nothing after it and is noticed to be lost later;
// what was in flight on a lost connection is gone. It moves frames and knows nothing of their
// meaning; the world hands its events back to it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/simulation/event_queue.h"
#include "tests/simulation/fault_kind.h"

namespace cartwheel::sim {

// What every message meets. Chances are in parts of a million.
struct Weather {
  int64_t min_latency_us = 100;
  int64_t max_latency_us = 1500;
  uint32_t delay_ppm = 0;
  int64_t max_delay_us = 0;
  uint32_t loss_ppm = 0;
  uint32_t duplicate_ppm = 0;
  uint32_t reorder_ppm = 0;
};

struct Delivery {
  int from = 0;
  int to = 0;
  bool response = false;
  std::string frame;
};

// Something that happened to the connection that `dialer` made to `peer`.
struct LinkEvent {
  int dialer = 0;
  int peer = 0;
  bool up = false;
};

// What the processes at both ends do of themselves when a connection is made.
struct Processes {
  std::function<bool(int node)> stands_still;    // it answers no hello then
  std::function<std::string(int node)> opening;  // the dialler's first frame; empty: none
};

class Network {
 public:
  Network(int nodes, uint64_t seed, EventQueue* events, FaultHits* hits, Processes processes);

  void Send(int64_t now_us, int from, int to, bool response, std::string frame);

  // The events of kinds kDial, kDeliver and kReset. Nothing comes of those that are out of date.
  std::optional<LinkEvent> Dialled(int64_t now_us, const Event& event);
  std::optional<Delivery> Delivered(const Event& event);
  std::optional<LinkEvent> Reset(const Event& event);

  // A process that ended: its connections are gone, peers notice after a round trip.
  void NodeDown(int64_t now_us, int node);
  void NodeUp(int node) { alive_[static_cast<size_t>(node)] = true; }

  // Nothing gets from one to the other until Heal. With `dials_pass` new connections in the other
  // direction can still be made.
  void Cut(int from, int to, FaultKind why, bool dials_pass = false);
  void Mend(int from, int to);
  bool IsCut(int from, int to) const { return path(from, to).cut; }
  // What is sent vanishes, and the connection stays: the scripts' way to lose chosen messages.
  void Swallow(int from, int to, bool on) { path(from, to).swallows = on; }
  // What is sent until then is held back, and arrives after it in any order.
  void Clog(int from, int to, int64_t until_us);
  // Both ends keep the connection, nothing passes; it is noticed after `noticed_us`.
  void HalfOpen(int64_t now_us, int dialer, int peer, int64_t noticed_us);
  // All connections of the node are reset, with what is on its way; they may be made again.
  void Break(int64_t now_us, int node);
  // Forgets every cut and clog. Broken connections stay broken until they are noticed.
  void Heal();

  Weather& weather() { return weather_; }
  uint64_t sent() const { return sent_; }

 private:
  enum class State : uint8_t { kDown, kDialling, kUp };
  struct Direction {
    int64_t last_arrival_us = 0;
    bool broken = false;
    FaultKind why = FaultKind::kCrash;  // it broke
  };
  struct Connection {
    int dialer = 0;
    int acceptor = 0;
    uint64_t generation = 0;
    State state = State::kDown;
    int64_t dialled_us = 0;
    bool reset_due = false;
    Direction outward;
    Direction back;
    std::deque<std::string> waiting;  // sent while dialling
  };
  struct Path {
    bool cut = false;
    bool dials_pass = false;
    bool swallows = false;
    FaultKind why = FaultKind::kTwoWayCut;
    int64_t clogged_until_us = 0;
  };

  Connection& connection(int dialer, int acceptor);
  Path& path(int from, int to) { return paths_[static_cast<size_t>(from * nodes_ + to)]; }
  const Path& path(int from, int to) const {
    return paths_[static_cast<size_t>(from * nodes_ + to)];
  }
  void Dial(int64_t now_us, Connection* c);
  void AnswerLater(int64_t time_us, const Connection& c, bool silent);
  void Transmit(int64_t now_us, Connection* c, bool back, std::string frame);
  void Arrive(int64_t time_us, const Connection& c, bool back, std::string frame);
  void ResetLater(int64_t time_us, Connection* c);
  void Close(Connection* c);
  bool Chance(uint32_t ppm) { return ppm != 0 && random_.Chance(ppm, 1'000'000); }
  int64_t Latency();
  int64_t Between(int64_t low, int64_t high);

  const int nodes_;
  const Processes processes_;
  Random random_;
  EventQueue* events_;
  FaultHits* hits_;
  Weather weather_;
  std::vector<Connection> connections_;
  std::vector<Path> paths_;
  std::vector<bool> alive_;
  std::vector<std::string> frames_;  // in flight, by the index that their event carries
  std::vector<uint64_t> free_frames_;
  uint64_t sent_ = 0;
};

}  // namespace cartwheel::sim
