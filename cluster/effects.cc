#include "cluster/effects.h"

namespace cartwheel {
namespace {

constexpr size_t kKeptFrameBytes = 1 << 20;

}  // namespace

void Outbox::Add(NodeId to, bool response, uint64_t after, std::string_view frame) {
  sends.push_back({to, after, response, false, frames.size(), frame.size()});
  frames.append(frame);
}

void Outbox::Clear() {
  sends.clear();
  frames.clear();
  if (frames.capacity() > kKeptFrameBytes) frames.shrink_to_fit();
}

void Effects::Clear() {
  control.reset();
  outbox.Clear();
  sends_to_address.clear();
  answers.clear();
  log.clear();
  published.clear();
  expired.clear();
  ring_changed = false;
  stop.reset();
  departed = false;
}

}  // namespace cartwheel
