#include "tests/simulation/network.h"

#include <algorithm>
#include <utility>

namespace cartwheel::sim {
namespace {

constexpr int64_t kMs = 1000;
// How long a SYN without an answer is waited for, and how long until unacknowledged data ends a
// connection.
constexpr int64_t kDialTimeoutUs = 1000 * kMs;
// The connection is there, and how long the process at its other end may take to say who it is.
constexpr int64_t kHandshakeTimeoutUs = 2000 * kMs;
constexpr int64_t kHandshakeStepUs = 5 * kMs;
constexpr int64_t kMinNoticeUs = 200 * kMs;
constexpr int64_t kMaxNoticeUs = 8000 * kMs;
constexpr size_t kMaxWaiting = 10000;

}  // namespace

Network::Network(int nodes, uint64_t seed, EventQueue* events, FaultHits* hits, Processes processes)
    : nodes_(nodes), processes_(std::move(processes)), random_(seed), events_(events), hits_(hits) {
  const size_t pairs = static_cast<size_t>(nodes * nodes);
  connections_.resize(pairs);
  paths_.resize(pairs);
  alive_.resize(static_cast<size_t>(nodes), false);
  for (int dialer = 0; dialer < nodes; ++dialer) {
    for (int acceptor = 0; acceptor < nodes; ++acceptor) {
      connection(dialer, acceptor).dialer = dialer;
      connection(dialer, acceptor).acceptor = acceptor;
    }
  }
}

Network::Connection& Network::connection(int dialer, int acceptor) {
  return connections_[static_cast<size_t>(dialer * nodes_ + acceptor)];
}

int64_t Network::Between(int64_t low, int64_t high) {
  return low + static_cast<int64_t>(random_.Below(static_cast<uint64_t>(high - low) + 1));
}

int64_t Network::Latency() { return Between(weather_.min_latency_us, weather_.max_latency_us); }

void Network::Send(int64_t now_us, int from, int to, bool response, std::string frame) {
  CHECK(from != to && to >= 0 && to < nodes_);
  ++sent_;
  Connection& c = response ? connection(to, from) : connection(from, to);
  if (c.state == State::kUp) {
    Transmit(now_us, &c, response, std::move(frame));
    return;
  }
  if (response) return;  // the connection that the request came from is gone
  if (c.state == State::kDown) Dial(now_us, &c);
  if (c.waiting.size() < kMaxWaiting) c.waiting.push_back(std::move(frame));
}

void Network::Dial(int64_t now_us, Connection* c) {
  ++c->generation;
  c->state = State::kDialling;
  const Path& out = path(c->dialer, c->acceptor);
  const Path& in = path(c->acceptor, c->dialer);
  const bool silent = out.cut || (in.cut && !in.dials_pass);
  const int64_t takes_us = silent ? kDialTimeoutUs : 2 * Latency();
  c->dialled_us = now_us;
  AnswerLater(now_us + takes_us, *c, silent);
}

void Network::AnswerLater(int64_t time_us, const Connection& c, bool silent) {
  const uint32_t index = static_cast<uint32_t>(&c - connections_.data());
  events_->Push({.time_us = time_us,
                 .kind = EventKind::kDial,
                 .flag = silent,
                 .a = index,
                 .b = c.generation});
}

std::optional<LinkEvent> Network::Dialled(int64_t now_us, const Event& event) {
  Connection& c = connections_[event.a];
  if (c.generation != event.b || c.state != State::kDialling) return std::nullopt;
  if (event.flag || !alive_[static_cast<size_t>(c.acceptor)]) {
    Close(&c);
    return LinkEvent{c.dialer, c.acceptor, false};
  }
  if (processes_.stands_still(c.dialer) || processes_.stands_still(c.acceptor)) {
    const bool over = now_us - c.dialled_us >= kHandshakeTimeoutUs;
    AnswerLater(now_us + kHandshakeStepUs, c, over);
    return std::nullopt;
  }
  c.state = State::kUp;
  c.outward = c.back = Direction();
  c.reset_due = false;
  std::deque<std::string> waiting = std::move(c.waiting);
  c.waiting.clear();
  std::string opening = processes_.opening(c.dialer);
  if (!opening.empty()) Transmit(now_us, &c, false, std::move(opening));
  for (std::string& frame : waiting) Transmit(now_us, &c, false, std::move(frame));
  return LinkEvent{c.dialer, c.acceptor, true};
}

void Network::Transmit(int64_t now_us, Connection* c, bool back, std::string frame) {
  const Path& way = back ? path(c->acceptor, c->dialer) : path(c->dialer, c->acceptor);
  Direction& direction = back ? c->back : c->outward;
  if (way.cut && !direction.broken) {
    direction.broken = true;
    direction.why = way.why;
    ResetLater(now_us + Between(kMinNoticeUs, kMaxNoticeUs), c);
  }
  if (direction.broken) {
    if (direction.why != FaultKind::kCrash) hits_->Count(direction.why);
    return;
  }
  if (way.swallows) return;
  if (Chance(weather_.loss_ppm)) {
    hits_->Count(FaultKind::kLoss);
    return;
  }
  int64_t arrival_us = now_us + Latency();
  if (Chance(weather_.delay_ppm)) {
    hits_->Count(FaultKind::kDelay);
    arrival_us += Between(0, weather_.max_delay_us);
  }
  if (Chance(weather_.duplicate_ppm)) {
    hits_->Count(FaultKind::kDuplicate);
    Arrive(arrival_us + Between(0, 200 * kMs), *c, back, frame);
  }
  if (way.clogged_until_us > now_us) {
    hits_->Count(FaultKind::kClog);
    Arrive(way.clogged_until_us + Between(0, 50 * kMs), *c, back, std::move(frame));
    return;
  }
  if (Chance(weather_.reorder_ppm)) {
    hits_->Count(FaultKind::kReorder);
    Arrive(arrival_us + Between(0, 20 * kMs), *c, back, std::move(frame));
    return;
  }
  arrival_us = std::max(arrival_us, direction.last_arrival_us);
  direction.last_arrival_us = arrival_us;
  Arrive(arrival_us, *c, back, std::move(frame));
}

void Network::Arrive(int64_t time_us, const Connection& c, bool back, std::string frame) {
  uint64_t slot = frames_.size();
  if (free_frames_.empty()) {
    frames_.push_back(std::move(frame));
  } else {
    slot = free_frames_.back();
    free_frames_.pop_back();
    frames_[slot] = std::move(frame);
  }
  events_->Push({.time_us = time_us,
                 .kind = EventKind::kDeliver,
                 .flag = back,
                 .a = static_cast<uint32_t>(&c - connections_.data()),
                 .b = c.generation,
                 .c = slot});
}

std::optional<Delivery> Network::Delivered(const Event& event) {
  std::string frame = std::move(frames_[event.c]);
  free_frames_.push_back(event.c);
  const Connection& c = connections_[event.a];
  if (c.generation != event.b || c.state != State::kUp) return std::nullopt;
  Delivery delivery{c.dialer, c.acceptor, event.flag, std::move(frame)};
  if (event.flag) std::swap(delivery.from, delivery.to);
  return delivery;
}

void Network::ResetLater(int64_t time_us, Connection* c) {
  if (c->reset_due) return;
  c->reset_due = true;
  events_->Push({.time_us = time_us,
                 .kind = EventKind::kReset,
                 .a = static_cast<uint32_t>(c - connections_.data()),
                 .b = c->generation});
}

std::optional<LinkEvent> Network::Reset(const Event& event) {
  Connection& c = connections_[event.a];
  if (c.generation != event.b || c.state != State::kUp) return std::nullopt;
  Close(&c);
  return LinkEvent{c.dialer, c.acceptor, false};
}

void Network::Close(Connection* c) {
  ++c->generation;
  c->state = State::kDown;
  c->waiting.clear();
}

void Network::NodeDown(int64_t now_us, int node) {
  alive_[static_cast<size_t>(node)] = false;
  for (int peer = 0; peer < nodes_; ++peer) {
    if (peer == node) continue;
    Close(&connection(node, peer));
    Connection& inbound = connection(peer, node);
    if (inbound.state != State::kUp) continue;
    // The last that was sent may still arrive; what the peer sends meets nobody.
    inbound.outward.broken = inbound.back.broken = true;
    inbound.reset_due = false;
    ResetLater(now_us + Latency(), &inbound);
  }
}

void Network::Cut(int from, int to, FaultKind why, bool dials_pass) {
  path(from, to).cut = true;
  path(from, to).why = why;
  path(from, to).dials_pass = dials_pass;
}

void Network::Mend(int from, int to) { path(from, to).cut = false; }

void Network::Clog(int from, int to, int64_t until_us) {
  path(from, to).clogged_until_us = std::max(path(from, to).clogged_until_us, until_us);
}

void Network::HalfOpen(int64_t now_us, int dialer, int peer, int64_t noticed_us) {
  Connection& c = connection(dialer, peer);
  if (c.state != State::kUp) return;
  c.outward.broken = c.back.broken = true;
  c.outward.why = c.back.why = FaultKind::kHalfOpen;
  ResetLater(now_us + noticed_us, &c);
}

void Network::Break(int64_t now_us, int node) {
  for (Connection& c : connections_) {
    if (c.state != State::kUp || (c.dialer != node && c.acceptor != node)) continue;
    c.outward.broken = c.back.broken = true;
    ResetLater(now_us, &c);
  }
}

void Network::Heal() {
  for (Path& p : paths_) p = Path();
  const int64_t min_us = weather_.min_latency_us;
  const int64_t max_us = weather_.max_latency_us;
  weather_ = Weather();
  weather_.min_latency_us = min_us;
  weather_.max_latency_us = max_us;
}

}  // namespace cartwheel::sim
