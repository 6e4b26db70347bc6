// fault_proxy: a TCP proxy on loopback between the nodes of a chaos run, which delays, throttles,
// holds or swallows what one node sends another, and breaks connections.
//
//   fault_proxy LISTEN_PORT:BUS_PORT ...     one pair per node, numbered 0, 1, ... in this order
//
// A node announces the proxy's port to all others, so the port says for whom a connection is; by
// whom it was dialled says the hello (cluster/hello.h), which the proxy reads as it passes. (Nodes
// do not bind what they dial from, so distinct loopback addresses would not tell them apart.)
// Commands are lines on stdin, each answered with a line "ok" or "error ..."; FROM and TO are
// numbers of nodes or "*", and name the way that bytes travel, on connections of either dialler:
//
//   node NUMBER ID         the node of this number has this id (the first 16 of its hex digits)
//   delay FROM TO MS       bytes arrive so much later
//   throttle FROM TO RATE  bytes per second
//   hold FROM TO           a cut: connections stay open, bytes wait where they are
//   swallow FROM TO        a cut: bytes vanish; connections that lost some are reset when it heals
//   half-open TO           TO is accepted for, and that is all; its present connections are reset
//   reset FROM TO          connections between the two are reset, now
//   heal FROM TO           all of the above is over for these ways; half-open ends for TO
//
// It ends when stdin does. One thread.
#include <uv.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "base/check.h"
#include "redis-tests/proxy_link.h"

namespace cartwheel::chaos {
namespace {

struct Listener {
  Proxy* proxy;
  int number;
  int bus_port;
  uv_tcp_t tcp{};
};

void Listen(Listener* listener, int port) {
  sockaddr_in address{};
  CHECK(uv_tcp_init(listener->proxy->loop, &listener->tcp) == 0);
  CHECK(uv_ip4_addr("127.0.0.1", port, &address) == 0);
  listener->tcp.data = listener;
  const auto on_connection = [](uv_stream_t* stream, int status) {
    if (status != 0) return;
    auto* self = static_cast<Listener*>(stream->data);
    Proxy* proxy = self->proxy;
    proxy->links.push_back(std::make_unique<Link>(proxy, self->number));
    proxy->links.back()->Accept(stream, self->bus_port);
  };
  auto* stream = reinterpret_cast<uv_stream_t*>(&listener->tcp);
  if (uv_tcp_bind(&listener->tcp, reinterpret_cast<const sockaddr*>(&address), 0) != 0 ||
      uv_listen(stream, 128, on_connection) != 0) {
    std::fprintf(stderr, "fault_proxy: port %d is taken\n", port);
    std::exit(1);
  }
}

// A node's number; kAnyNode for "*"; nothing else.
bool ParseNode(const Proxy& proxy, const std::string& text, int* number) {
  if (text == "*") {
    *number = kAnyNode;
    return true;
  }
  char* end = nullptr;
  *number = static_cast<int>(std::strtol(text.c_str(), &end, 10));
  return !text.empty() && *end == '\0' && *number >= 0 && *number < proxy.stranger();
}

void ResetAll(Proxy* proxy, const std::function<bool(const Link&)>& wanted) {
  for (const auto& link : proxy->links) {
    if (wanted(*link)) link->Reset();
  }
}

bool Carry(Proxy* proxy, const std::string& line) {
  std::istringstream words(line);
  std::string command;
  std::string first;
  std::string second;
  words >> command >> first >> second;
  int64_t amount = 0;
  words >> amount;
  int from = kAnyNode;
  int to = kAnyNode;
  if (!ParseNode(*proxy, first, &from)) return false;
  if (command == "node") {
    if (from == kAnyNode) return false;
    proxy->ids[static_cast<size_t>(from)] = ParseNodeId(second);
    return proxy->ids[static_cast<size_t>(from)] != 0;
  }
  if (command == "half-open") {
    if (from == kAnyNode) return false;
    proxy->half_open[static_cast<size_t>(from)] = true;
    ResetAll(proxy, [from](const Link& link) { return link.target() == from; });
    return true;
  }
  if (!ParseNode(*proxy, second, &to)) return false;
  if (command == "reset") {
    ResetAll(proxy, [=](const Link& link) { return link.Between(from, to); });
  } else if (command == "delay") {
    proxy->ChangeRules(from, to, [=](Rule* rule) { rule->delay_us = amount * 1000; });
  } else if (command == "throttle") {
    proxy->ChangeRules(from, to, [=](Rule* rule) { rule->bytes_per_second = amount; });
  } else if (command == "hold") {
    proxy->ChangeRules(from, to, [](Rule* rule) { rule->hold = true; });
  } else if (command == "swallow") {
    proxy->ChangeRules(from, to, [](Rule* rule) { rule->swallow = true; });
  } else if (command == "heal") {
    proxy->Heal(from, to);
  } else {
    return false;
  }
  return true;
}

// Lines from stdin, which is a pipe.
struct Control {
  explicit Control(Proxy* the_proxy) : proxy(the_proxy) {}

  Proxy* proxy;
  uv_pipe_t pipe{};
  std::string text;
  std::array<char, 4096> space{};

  void Start() {
    CHECK(uv_pipe_init(proxy->loop, &pipe, 0) == 0);
    CHECK(uv_pipe_open(&pipe, 0) == 0);
    pipe.data = this;
    const auto allocate = [](uv_handle_t* handle, size_t, uv_buf_t* buffer) {
      auto* self = static_cast<Control*>(handle->data);
      *buffer = uv_buf_init(self->space.data(), static_cast<unsigned>(self->space.size()));
    };
    const auto on_read = [](uv_stream_t* stream, ssize_t count, const uv_buf_t*) {
      auto* self = static_cast<Control*>(stream->data);
      if (count < 0) std::exit(0);
      self->text.append(self->space.data(), static_cast<size_t>(count));
      self->Lines();
    };
    CHECK(uv_read_start(reinterpret_cast<uv_stream_t*>(&pipe), allocate, on_read) == 0);
  }

  void Lines() {
    for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n')) {
      const std::string line = text.substr(0, end);
      text.erase(0, end + 1);
      std::cout << (Carry(proxy, line) ? "ok" : "error " + line) << std::endl;
    }
  }
};

int Main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  uv_loop_t* loop = uv_default_loop();
  Proxy proxy(loop, static_cast<size_t>(argc - 1));
  std::deque<Listener> listeners;
  for (int i = 1; i < argc; ++i) {
    int port = 0;
    int bus_port = 0;
    if (std::sscanf(argv[i], "%d:%d", &port, &bus_port) != 2) {
      std::fprintf(stderr, "fault_proxy LISTEN_PORT:BUS_PORT ...\n");
      return 1;
    }
    listeners.push_back({&proxy, i - 1, bus_port});
    Listen(&listeners.back(), port);
  }
  Control control(&proxy);
  control.Start();
  std::cout << "ok" << std::endl;
  return uv_run(loop, UV_RUN_DEFAULT);
}

}  // namespace
}  // namespace cartwheel::chaos

int main(int argc, char** argv) { return cartwheel::chaos::Main(argc, argv); }
