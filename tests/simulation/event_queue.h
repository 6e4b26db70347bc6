// EventQueue: what will happen when, in simulated microseconds. Events of one time come out in the
// order they went in, so that a run depends on its seed alone. A binary heap of small values.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/check.h"

namespace cartwheel::sim {

enum class EventKind : uint8_t {
  kDial,     // a: connection, b: its generation
  kDeliver,  // a: connection, b: its generation, c: frame, flag: towards the dialer
  kReset,    // a: connection, b: its generation
  kTick,     // a: node, b: its tick generation
  kSynced,   // a: node, b: its incarnation, c: the sequence that is on the disk then
  kResume,   // a: node
  kCall,     // c: a function
};

struct Event {
  int64_t time_us = 0;
  uint64_t order = 0;
  EventKind kind = EventKind::kCall;
  bool flag = false;
  uint32_t a = 0;
  uint64_t b = 0;
  uint64_t c = 0;
};

class EventQueue {
 public:
  bool empty() const { return heap_.empty(); }
  size_t size() const { return heap_.size(); }
  int64_t next_us() const { return heap_.front().time_us; }

  void Push(Event event) {
    event.order = ++pushed_;
    heap_.push_back(event);
    std::push_heap(heap_.begin(), heap_.end(), Later);
  }

  Event Pop() {
    CHECK(!heap_.empty());
    std::pop_heap(heap_.begin(), heap_.end(), Later);
    const Event event = heap_.back();
    heap_.pop_back();
    return event;
  }

 private:
  static bool Later(const Event& a, const Event& b) {
    return a.time_us != b.time_us ? a.time_us > b.time_us : a.order > b.order;
  }

  std::vector<Event> heap_;
  uint64_t pushed_ = 0;
};

}  // namespace cartwheel::sim
