// BusLink: one TCP connection to another node, dialled or accepted, from the handshake
// (cluster/hello.h) to its end. Frames in go to the owner one by one; frames out collect until
// Flush. What is sent before the handshake is done waits for it. When to dial, and which link a
// frame takes, is server/bus.h.
#pragma once

#include <uv.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "cluster/hello.h"
#include "cluster/types.h"
#include "protocol/request_parser.h"
#include "server/stream_writer.h"

namespace cartwheel {

class BusLink;

struct BusLinkEvents {
  std::function<Hello()> hello;  // who this node is, at this moment; without nonce and proof
  std::string secret;
  std::function<std::string()> opening;  // the first frame on a link that was dialled
  std::function<void(BusLink*)> up;      // the handshake is done, peer() is known
  std::function<void(BusLink*, std::span<const std::string_view> fields)> frame;
  // Bytes came or went: a turn's end is wanted.
  std::function<void(BusLink*)> activity;
  // It failed or was lost, and why. `released` follows.
  std::function<void(BusLink*, std::string_view reason)> down;
  std::function<void(BusLink*)> released;  // the loop has let go of it: it may be destroyed
};

class BusLink {
 public:
  // Frames out that have not left; past that the link fails. Those of very large values have a
  // bound of their own, or the first small one behind them would end the link.
  static constexpr size_t kMaxQueuedBytes = 256 << 20;
  static constexpr size_t kLargeFrame = 32 << 20;
  static constexpr size_t kMaxLargeBytes = size_t{1200} << 20;  // two of the largest values
  static constexpr int64_t kHandshakeTimeoutUs = 2'000'000;

  BusLink(uv_loop_t* loop, const BusLinkEvents* events, HelloRole role, uint64_t max_value_bytes,
          int64_t now_us);

  // One of the two begins it.
  int Accept(uv_stream_t* listener);
  void Dial(const Address& address);

  // Queues a frame; the link fails when too much is queued.
  void Send(std::string_view frame);
  void Flush();
  void Close(std::string_view reason);

  bool up() const { return state_ == State::kUp; }
  bool closed() const { return state_ == State::kClosed; }
  HelloRole role() const { return role_; }
  NodeId peer() const { return peer_.node; }
  int64_t peer_started_at_ms() const { return peer_.started_at_ms; }
  const Address& address() const { return address_; }  // that was dialled, or of the far end
  int64_t started_at_us() const { return started_at_us_; }
  uint64_t bytes_in() const { return bytes_in_; }
  uint64_t bytes_out() const { return bytes_out_; }
  size_t queued_bytes() const { return greeting_.size() + output_.size() + writer_.kept_bytes(); }
  // For the owner.
  bool flush_due = false;  // it is on the list of those to flush
  bool was_up = false;
  int64_t opening_due_us = 0;  // accepted: until when the first frame is prompt; 0 once it is here

 private:
  enum class State : uint8_t { kConnecting, kHandshake, kUp, kClosed };

  void Resolve();
  void Connect(const sockaddr* address);
  void Begin();
  void OnRead(ssize_t count);
  void OnHandshake(std::span<const std::string_view> fields);
  Result<void> HandshakeStep(std::span<const std::string_view> fields);
  void SendHello(std::string_view our_nonce, bool with_proof);
  void Release();
  uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&tcp_); }
  uv_handle_t* handle() { return reinterpret_cast<uv_handle_t*>(&tcp_); }

  uv_loop_t* loop_;
  const BusLinkEvents* events_;
  const HelloRole role_;  // ours on this connection
  State state_ = State::kConnecting;
  const int64_t started_at_us_;
  Address address_;
  Hello peer_;
  std::string our_nonce_;
  std::string peer_nonce_;
  bool hello_sent_ = false;

  uv_tcp_t tcp_{};
  uv_connect_t connect_{};
  uv_getaddrinfo_t lookup_{};
  bool looking_up_ = false;
  bool handle_closed_ = false;

  RequestParser parser_;
  StreamWriter writer_;
  std::string greeting_;  // of the handshake: leaves before it is done
  std::string output_;
  size_t large_bytes_ = 0;  // of large frames, since nothing was queued
  uint64_t bytes_in_ = 0;
  uint64_t bytes_out_ = 0;
};

}  // namespace cartwheel
