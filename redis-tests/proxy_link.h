// Proxy and Link: what fault_proxy does with bytes. A link is one accepted connection and the one
// dialled for it; what it does to the bytes of each of its two ways is the rule for (from, to),
// where one of the two is the node that listens behind the port and the other is known once its
// hello has passed. One thread, one uv loop.
#pragma once

#include <uv.h>

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/types.h"
#include "protocol/request_parser.h"

namespace cartwheel::chaos {

inline constexpr int kAnyNode = -1;

// What happens to bytes on one way.
struct Rule {
  int64_t delay_us = 0;
  int64_t bytes_per_second = 0;  // 0: no bound
  bool hold = false;
  bool swallow = false;
};

class Link;

// What all links share.
struct Proxy {
  Proxy(uv_loop_t* the_loop, size_t nodes);

  // The number of who is not known yet.
  int stranger() const { return static_cast<int>(ids.size()); }
  int NumberOf(NodeId id) const;
  int64_t now_us() const { return static_cast<int64_t>(uv_now(loop)) * 1000; }
  void Release(Link* link);
  // For all ways that `from` and `to` name; either may be kAnyNode.
  void ChangeRules(int from, int to, const std::function<void(Rule*)>& change);
  void Heal(int from, int to);

  uv_loop_t* loop;
  std::vector<NodeId> ids;               // by number; 0: not yet told
  std::vector<std::vector<Rule>> rules;  // [from][to]; the last row and column: strangers
  std::vector<bool> half_open;           // by number
  std::vector<std::unique_ptr<Link>> links;
};

class Link {
 public:
  Link(Proxy* proxy, int target);

  void Accept(uv_stream_t* listener, int bus_port);
  // The rules, or what is known of the dialler, changed.
  void Apply();
  void Reset();

  // Whether it carries bytes from one to the other; either may be kAnyNode.
  bool Between(int from, int to) const;
  int target() const { return target_; }
  bool connected() const { return connected_; }
  bool swallowed() const { return swallowed_; }

 private:
  struct Chunk {
    std::string bytes;
    int64_t due_us;
  };
  // An end reads bytes, which wait in its queue until the other end writes them.
  struct End {
    Link* link = nullptr;
    End* peer = nullptr;
    uv_tcp_t tcp{};
    uv_timer_t timer{};
    std::deque<Chunk> queue;
    size_t queued_bytes = 0;
    int64_t last_due_us = 0;
    bool reading = false;
    bool writing = false;  // a chunk of the queue is on its way
    uv_write_t write{};
    std::string written;
    std::array<char, 16 << 10> space{};

    uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&tcp); }
  };

  const Rule& RuleOf(const End* end) const;
  void SetReading(End* end);
  void OnRead(End* end, std::string_view bytes);
  void LearnDialler(std::string_view bytes);
  void Forward(End* end);

  Proxy* proxy_;
  int dialler_;
  const int target_;
  std::array<End, 2> ends_;  // the dialler's, the target's
  uv_connect_t connect_{};
  RequestParser greeting_{ParserLimits()};
  bool introduced_ = false;
  bool connected_ = false;
  bool swallowed_ = false;
  bool closing_ = false;
  int open_handles_ = 0;
};

}  // namespace cartwheel::chaos
