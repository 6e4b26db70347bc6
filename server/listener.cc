#include "server/listener.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/check.h"

namespace cartwheel {
namespace {

constexpr int kBacklog = 511;

// Listens on the first address that `host` stands for; -1 and errno when that fails.
int BindOne(const addrinfo& address) {
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (address.ai_family == AF_INET6) {
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  }
  if (bind(fd, address.ai_addr, address.ai_addrlen) == 0 && listen(fd, kBacklog) == 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

void CloseAll(const std::vector<int>& descriptors) {
  for (const int fd : descriptors) close(fd);
}

std::string Format(const sockaddr_storage& address) {
  char host[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address);
    uv_ip6_name(v6, host, sizeof(host));
    return fmt::format("[{}]:{}", host, ntohs(v6->sin6_port));
  }
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address);
  uv_ip4_name(v4, host, sizeof(host));
  return fmt::format("{}:{}", host, ntohs(v4->sin_port));
}

}  // namespace

Result<std::vector<int>> BindAll(const std::vector<std::string>& hosts, uint16_t port,
                                 std::string_view option) {
  std::vector<int> descriptors;
  for (const std::string& host : hosts) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    addrinfo* found = nullptr;
    const int failed = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
    if (failed != 0) {
      CloseAll(descriptors);
      return Error(ErrorCode::kIo,
                   fmt::format("option 'bind': bad value '{}': {}", host, gai_strerror(failed)));
    }
    const int fd = BindOne(*found);
    const int error = errno;
    freeaddrinfo(found);
    if (fd < 0) {
      CloseAll(descriptors);
      return Error(ErrorCode::kIo, fmt::format("option '{}': bad value '{}': {}: {}", option, port,
                                               host, std::strerror(error)));
    }
    descriptors.push_back(fd);
  }
  return descriptors;
}

Result<int> BindPath(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  CHECK(path.size() < sizeof(address.sun_path));  // the option's bound
  path.copy(address.sun_path, path.size());
  const auto* name = reinterpret_cast<const sockaddr*>(&address);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  // What a process left behind goes; one that serves keeps its own.
  const bool served = fd >= 0 && (connect(fd, name, sizeof(address)) == 0 || errno == EAGAIN);
  if (served) errno = EADDRINUSE;
  if (!served) unlink(path.c_str());
  if (fd >= 0 && !served && bind(fd, name, sizeof(address)) == 0 && listen(fd, kBacklog) == 0) {
    return fd;
  }
  const int error = errno;
  if (fd >= 0) close(fd);
  return Error(ErrorCode::kIo,
               fmt::format("option 'unixsocket': bad value '{}': {}", path, std::strerror(error)));
}

void Listener::Listen() {
  handle_.any.data = this;
  const int error = uv_listen(stream(), kBacklog, [](uv_stream_t* listening, int status) {
    auto* self = static_cast<Listener*>(listening->data);
    if (status == 0) self->accept_(listening, self->context_);
  });
  CHECK(error == 0);  // it has been listening since it was bound
}

std::unique_ptr<Listener> Listener::OnTcp(uv_loop_t* loop, int fd, Accept accept, void* context) {
  std::unique_ptr<Listener> listener(new Listener(accept, context));
  CHECK(uv_tcp_init(loop, &listener->handle_.tcp) == 0);
  CHECK(uv_tcp_open(&listener->handle_.tcp, fd) == 0);
  listener->Listen();
  return listener;
}

std::unique_ptr<Listener> Listener::OnUnix(uv_loop_t* loop, int fd, Accept accept, void* context) {
  std::unique_ptr<Listener> listener(new Listener(accept, context));
  CHECK(uv_pipe_init(loop, &listener->handle_.pipe, 0) == 0);
  CHECK(uv_pipe_open(&listener->handle_.pipe, fd) == 0);
  listener->Listen();
  return listener;
}

void Listener::Close() {
  if (!uv_is_closing(&handle_.any)) uv_close(&handle_.any, nullptr);
}

std::string PeerAddress(const uv_tcp_t* tcp) {
  sockaddr_storage address{};
  int length = sizeof(address);
  uv_tcp_getpeername(tcp, reinterpret_cast<sockaddr*>(&address), &length);
  return Format(address);
}

std::string LocalAddress(const uv_tcp_t* tcp) {
  sockaddr_storage address{};
  int length = sizeof(address);
  uv_tcp_getsockname(tcp, reinterpret_cast<sockaddr*>(&address), &length);
  return Format(address);
}

bool PeerIsLoopback(const uv_tcp_t* tcp) {
  const std::string address = PeerAddress(tcp);
  return address.starts_with("127.") || address.starts_with("[::1]");
}

}  // namespace cartwheel
