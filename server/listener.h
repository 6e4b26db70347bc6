// Listener: sockets that accept connections. Binding happens before anything else of the process's
// start, so that a taken port leaves nothing on disk; serving begins later.
#pragma once

#include <uv.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace cartwheel {

// A bound and listening descriptor on each of `hosts`. The error names the option (whose port it
// is), the port and the address.
Result<std::vector<int>> BindAll(const std::vector<std::string>& hosts, uint16_t port,
                                 std::string_view option);

// A bound and listening Unix socket. A file left at the path by a process that died is replaced.
Result<int> BindPath(const std::string& path);

// One listening socket on the loop. It calls `accept` for each connection that waits; the callee
// takes it with uv_accept(stream, ...).
class Listener {
 public:
  using Accept = void (*)(uv_stream_t* listener, void* context);

  static std::unique_ptr<Listener> OnTcp(uv_loop_t* loop, int fd, Accept accept, void* context);
  static std::unique_ptr<Listener> OnUnix(uv_loop_t* loop, int fd, Accept accept, void* context);

  // Stops listening. The loop must run once more before the listener is destroyed.
  void Close();

 private:
  Listener(Accept accept, void* context) : accept_(accept), context_(context) {}
  void Listen();
  uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&handle_); }

  union {
    uv_handle_t any;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } handle_{};
  Accept accept_;
  void* context_;
};

// "127.0.0.1:50000", "[::1]:50000", of the far or the near end of a TCP connection.
std::string PeerAddress(const uv_tcp_t* tcp);
std::string LocalAddress(const uv_tcp_t* tcp);
bool PeerIsLoopback(const uv_tcp_t* tcp);

}  // namespace cartwheel
