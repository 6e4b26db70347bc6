#include "server/bus.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "server/log.h"

namespace cartwheel {
namespace {

constexpr int64_t kFirstBackoffUs = 50'000;
constexpr int64_t kLastBackoffUs = 1'000'000;
constexpr int64_t kMinuteUs = 60'000'000;
constexpr int64_t kMinOpeningUs = 100'000;
constexpr size_t kMaxHandshakes = 1024;  // of strangers, at once
constexpr size_t kMaxLoggedPeers = 1024;

}  // namespace

Bus::Bus(uv_loop_t* loop, Server* server, BusEvents events)
    : loop_(loop), server_(server), events_(std::move(events)) {
  link_events_.hello = events_.hello;
  link_events_.secret = server->options.cluster_secret;
  link_events_.opening = events_.opening;
  link_events_.up = [this](BusLink* link) { OnUp(link); };
  link_events_.frame = [this](BusLink* link, std::span<const std::string_view> fields) {
    ++server_->bus.frames_in;
    if (!OpensInTime(link)) return;
    events_.frame(link->peer(), fields);
  };
  link_events_.activity = [this](BusLink* link) {
    events_.activity();
    WantFlush(link);
  };
  link_events_.down = [this](BusLink* link, std::string_view reason) { OnDown(link, reason); };
  link_events_.released = [this](BusLink* link) { OnReleased(link); };
}

Bus::~Bus() = default;

BusLink* Bus::Add(HelloRole role) {
  const Options& options = server_->options;
  const uint64_t max_value = std::max(options.object_max_bytes, options.proto_max_bulk_bytes);
  links_.push_back(
      std::make_unique<BusLink>(loop_, &link_events_, role, max_value, server_->now.mono_us));
  server_->bus.links = links_.size();
  return links_.back().get();
}

void Bus::Accept(uv_stream_t* listener) {
  BusLink* const link = Add(HelloRole::kAcceptor);
  const int error = link->Accept(listener);
  if (error != 0) return link->Close(uv_strerror(error));
  const auto strangers = std::count_if(links_.begin(), links_.end(), [](const auto& other) {
    return other->role() == HelloRole::kAcceptor && !other->up() && !other->closed();
  });
  if (static_cast<size_t>(strangers) > kMaxHandshakes) link->Close("too many strangers at once");
}

void Bus::Send(NodeId to, bool response, std::string_view frame) {
  if (!response) {
    return SendOn(
        &by_node_[to], [&] { return events_.address_of(to); }, frame);
  }
  const auto found = accepted_.find(to);
  if (found == accepted_.end()) {
    ++server_->bus.frames_dropped;
    return;
  }
  ++server_->bus.frames_out;
  WantFlush(found->second);
  found->second->Send(frame);
}

void Bus::SendTo(const Address& to, std::string_view frame) {
  SendOn(
      &by_address_[to], [&] { return std::optional(to); }, frame);
}

template <typename AddressOf>
void Bus::SendOn(Route* route, AddressOf address_of, std::string_view frame) {
  if (route->link == nullptr) {
    const std::optional<Address> address = address_of();
    if (closing_ || !address || server_->now.mono_us < route->next_dial_us) {
      ++server_->bus.frames_dropped;
      return;
    }
    route->link = Add(HelloRole::kDialler);
    // Queued first: a dial that fails at once takes the frame with it.
    route->link->Send(frame);
    ++server_->bus.frames_out;
    return route->link->Dial(*address);
  }
  ++server_->bus.frames_out;
  WantFlush(route->link);
  route->link->Send(frame);
}

void Bus::WantFlush(BusLink* link) {
  if (link->flush_due || link->closed()) return;
  link->flush_due = true;
  flush_due_.push_back(link);
}

void Bus::Flush() {
  // A link that fails meanwhile stays in links_ until the loop lets go of it.
  for (size_t i = 0; i < flush_due_.size(); ++i) {
    flush_due_[i]->flush_due = false;
    flush_due_[i]->Flush();
  }
  flush_due_.clear();
}

bool Bus::Drained() const {
  return std::all_of(links_.begin(), links_.end(), [](const auto& link) {
    return !link->up() || link->closed() || link->queued_bytes() == 0;
  });
}

// Later than this and the opening's stamp says nothing of the frames behind it: this node stood
// still between its hello and them. The other side dials again.
bool Bus::OpensInTime(BusLink* link) {
  const int64_t due_us = std::exchange(link->opening_due_us, 0);
  if (due_us == 0 || server_->now.mono_us <= due_us) return true;
  link->Close("its first frame came too late to tell how fast the way is");
  return false;
}

// A link of this node to itself, by a seed's address, is none to a twin. The later of two stops;
// the earlier lets it have the answer that says so.
bool Bus::IsTwin(BusLink* link) {
  const Hello own = events_.hello();
  if (link->peer() != own.node || link->peer_started_at_ms() == own.started_at_ms) return false;
  if (link->peer_started_at_ms() < own.started_at_ms) {
    events_.twin(link->address());
  } else if (link->role() == HelloRole::kDialler) {
    link->Close("it has this node's id");
  }
  return true;
}

void Bus::OnUp(BusLink* link) {
  const NodeId peer = link->peer();
  LogEvent(LogLevel::kVerbose, "bus link {} {} ({}) is up",
           link->role() == HelloRole::kDialler ? "to" : "from", FormatNodeId(peer),
           link->address().host);
  link->was_up = true;
  if (IsTwin(link)) return;
  WantFlush(link);
  if (link->role() == HelloRole::kAcceptor) {
    accepted_[peer] = link;  // a newer one takes over
    // A write that waited that long is refused when the baseline is right (replica_service.cc).
    const int64_t timeout_us = server_->options.replica_timeout_ms * 1000 / 2;
    link->opening_due_us = server_->now.mono_us + std::max(timeout_us, kMinOpeningUs);
    return;
  }
  for (auto& [address, route] : by_address_) {
    if (route.link == link) route.backoff_us = 0;
  }
  Route& own = by_node_[peer];
  if (own.link == nullptr) own.link = link;  // it was dialled by address
  if (own.link == link) own.backoff_us = own.next_dial_us = 0;
  for (auto& [node, route] : by_node_) {
    if (route.link != link || node == peer) continue;
    return link->Close(fmt::format("node {} is there now", FormatNodeId(peer)));
  }
  events_.link_up(peer);
}

void Bus::BackOff(Route* route) {
  route->link = nullptr;
  route->backoff_us = std::clamp(route->backoff_us * 2, kFirstBackoffUs, kLastBackoffUs);
  route->next_dial_us = server_->now.mono_us + route->backoff_us;
}

void Bus::OnDown(BusLink* link, std::string_view reason) {
  events_.activity();
  server_->bus.bytes_in += link->bytes_in();
  server_->bus.bytes_out += link->bytes_out();
  if (!closing_) {
    if (link->was_up) ++server_->bus.links_lost;
    LogRefusal(*link, reason);
  }
  if (link->role() == HelloRole::kAcceptor) {
    const auto found = accepted_.find(link->peer());
    if (found == accepted_.end() || found->second != link) return;
    // The peer may go on asking by an older one: it has a link by node and one by a seed's address.
    const auto older = std::find_if(links_.rbegin(), links_.rend(), [&](const auto& other) {
      return other->role() == HelloRole::kAcceptor && other->up() && other->peer() == found->first;
    });
    if (older == links_.rend()) {
      accepted_.erase(found);
    } else {
      found->second = older->get();
    }
    return;
  }
  for (auto& [address, route] : by_address_) {
    if (route.link == link) BackOff(&route);
  }
  std::vector<NodeId> lost;
  for (auto& [node, route] : by_node_) {
    if (route.link != link) continue;
    BackOff(&route);
    lost.push_back(node);
  }
  std::sort(lost.begin(), lost.end());
  if (closing_) return;
  for (const NodeId node : lost) events_.link_lost(node);
}

void Bus::OnReleased(BusLink* link) {
  std::erase(flush_due_, link);
  const auto found = std::find_if(links_.begin(), links_.end(),
                                  [&](const auto& owned) { return owned.get() == link; });
  links_.erase(found);
  server_->bus.links = links_.size();
}

// Once per peer and minute: a peer that is down is dialled again and again.
void Bus::LogRefusal(const BusLink& link, std::string_view reason) {
  const bool dialled = link.role() == HelloRole::kDialler;
  const std::string peer = dialled ? ToString(link.address()) : link.address().host;
  const int64_t now = server_->now.mono_us;
  if (logged_at_us_.size() > kMaxLoggedPeers) logged_at_us_.clear();
  const auto [found, first] = logged_at_us_.try_emplace(peer, now);
  if (!first && now - found->second < kMinuteUs) return;
  found->second = now;
  LogEvent(LogLevel::kNotice, "bus link {} {} ended: {}", dialled ? "to" : "from", peer, reason);
}

void Bus::Sweep() {
  for (size_t i = 0; i < links_.size(); ++i) {
    BusLink* const link = links_[i].get();
    const int64_t age = server_->now.mono_us - link->started_at_us();
    if (!link->up() && !link->closed() && age > BusLink::kHandshakeTimeoutUs) {
      link->Close("no answer");
    }
  }
}

std::vector<LinkInfo> Bus::Links() const {
  std::vector<LinkInfo> links;
  for (const auto& link : links_) {
    if (!link->up()) continue;
    const int64_t age_us = server_->now.mono_us - link->started_at_us();
    links.push_back({link->peer(), link->role() == HelloRole::kDialler,
                     server_->now.wall_ms - age_us / 1000, link->queued_bytes()});
  }
  return links;
}

void Bus::CloseAll() {
  closing_ = true;
  for (size_t i = 0; i < links_.size(); ++i) links_[i]->Close("this node stops");
}

}  // namespace cartwheel
