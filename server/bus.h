// Bus: this node's connections to the others. Requests travel on links that this node dialled,
// when a frame needs one and not sooner than a backoff after a failure; responses on the newest
// link that the peer dialled. A peer without a link loses its frames: the core has timeouts for
// that.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <uv.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/bus_link.h"
#include "server/server.h"

namespace cartwheel {

struct BusEvents {
  std::function<Hello()> hello;
  std::function<std::string()> opening;                      // cluster/node.h
  std::function<std::optional<Address>(NodeId)> address_of;  // a member's bus
  std::function<void(NodeId, std::span<const std::string_view>)> frame;
  std::function<void(NodeId)> link_up;    // one that this node dialled
  std::function<void(NodeId)> link_lost;  // likewise, or it could not be dialled
  std::function<void()> activity;         // the time moves on
  // Another process has this node's id, and had it before this one was started.
  std::function<void(const Address&)> twin;
};

class Bus {
 public:
  Bus(uv_loop_t* loop, Server* server, BusEvents events);
  ~Bus();

  void Accept(uv_stream_t* listener);
  void Send(NodeId to, bool response, std::string_view frame);
  void SendTo(const Address& to, std::string_view frame);
  // Writes what was sent in this turn: one write per link.
  void Flush();
  // Nothing waits to be written to a peer that is connected.
  bool Drained() const;
  // A few times a second: handshakes that take too long.
  void Sweep();
  void CloseAll();
  bool empty() const { return links_.empty(); }
  std::vector<LinkInfo> Links() const;

 private:
  // Where frames of one kind go: a node, or an address whose node is not known yet.
  struct Route {
    BusLink* link = nullptr;
    int64_t next_dial_us = 0;
    int64_t backoff_us = 0;
  };

  bool OpensInTime(BusLink* link);
  bool IsTwin(BusLink* link);
  // `address_of` is asked only when the route has no link.
  template <typename AddressOf>
  void SendOn(Route* route, AddressOf address_of, std::string_view frame);
  BusLink* Add(HelloRole role);
  void OnUp(BusLink* link);
  void OnDown(BusLink* link, std::string_view reason);
  void OnReleased(BusLink* link);
  void WantFlush(BusLink* link);
  void BackOff(Route* route);
  void LogRefusal(const BusLink& link, std::string_view reason);

  uv_loop_t* loop_;
  Server* server_;
  BusEvents events_;
  BusLinkEvents link_events_;
  std::vector<std::unique_ptr<BusLink>> links_;
  absl::flat_hash_map<NodeId, Route> by_node_;
  std::map<Address, Route> by_address_;
  absl::flat_hash_map<NodeId, BusLink*> accepted_;
  std::vector<BusLink*> flush_due_;
  std::map<std::string, int64_t> logged_at_us_;  // by peer
  bool closing_ = false;
};

}  // namespace cartwheel
