// An open-loop load generator: request i is due at start + i / rate whether or not earlier ones
// were answered, and its latency counts from that moment. So a server that stops for a second shows
// a second, not one slow request (what a closed loop such as redis-benchmark's shows). One thread,
// plain sockets, epoll; due requests go round the connections and are pipelined when they must be.
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "bench/load_options.h"
#include "bench/slot_map.h"
#include "protocol/reply_parser.h"
#include "protocol/reply_writer.h"

namespace cartwheel {
namespace {

int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

int64_t Seconds(double seconds) { return static_cast<int64_t>(seconds * 1e9); }

int Connect(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) Die("'" + address + "' is not HOST:PORT");
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int code = getaddrinfo(address.substr(0, colon).c_str(), address.substr(colon + 1).c_str(),
                               &hints, &found);
  if (code != 0) Die(address + ": " + gai_strerror(code));
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
    Die(address + ": " + std::strerror(errno));
  }
  freeaddrinfo(found);
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  return fd;
}

struct Request {
  int64_t due;
  uint64_t key;
  bool set;
};

struct Connection {
  std::string address;
  int fd = -1;
  std::string out;  // from `sent` on still to be written
  size_t sent = 0;
  bool wants_write = false;
  bool dirty = false;  // has something new to write
  ReplyParser replies;
  std::deque<Request> unanswered;  // in order
};

std::string KeyName(uint64_t key) {
  char name[32];
  std::snprintf(name, sizeof(name), "key:%012llu", static_cast<unsigned long long>(key));
  return name;
}

SlotMap FetchSlotMap(const std::string& address) {
  const int fd = Connect(address);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
  constexpr std::string_view kAsk = "CLUSTER SLOTS\r\n";
  if (write(fd, kAsk.data(), kAsk.size()) < 0) Die(address + ": " + std::strerror(errno));
  ReplyParser replies;
  Reply reply;
  while (replies.Next(&reply) == ReplyParser::Outcome::kNeedMore) {
    const std::span<char> space = replies.Prepare();
    const ssize_t count = read(fd, space.data(), space.size());
    if (count <= 0) Die(address + " does not answer CLUSTER SLOTS");
    replies.Commit(static_cast<size_t>(count));
  }
  close(fd);
  std::optional<SlotMap> map = ReadSlotMap(reply);
  if (!map) Die(address + ": CLUSTER SLOTS does not tell where all slots are");
  return *std::move(map);
}

struct Latencies {
  std::vector<int64_t> sorted_ns;

  double MeanMs() const {
    if (sorted_ns.empty()) return 0;
    const double sum = std::accumulate(sorted_ns.begin(), sorted_ns.end(), 0.0);
    return sum / static_cast<double>(sorted_ns.size()) / 1e6;
  }
  double PercentileMs(double share) const {
    if (sorted_ns.empty()) return 0;
    const auto rank = static_cast<size_t>(share * static_cast<double>(sorted_ns.size()));
    return static_cast<double>(sorted_ns[std::min(rank, sorted_ns.size() - 1)]) / 1e6;
  }
};

Latencies SortedLatencies(std::vector<int64_t> latencies_ns) {
  std::sort(latencies_ns.begin(), latencies_ns.end());
  return {std::move(latencies_ns)};
}

class Generator {
 public:
  explicit Generator(const LoadOptions& options);
  void Run();
  // True when every request was answered, and well.
  bool Report() const;

 private:
  void SendOpenLoop(int64_t now);
  void SendFill(int64_t now);
  Connection* Choose(uint64_t key);
  void Send(bool set, uint64_t key, int64_t due, Connection* connection);
  void Flush();
  void Write(Connection* connection);
  void Read(Connection* connection);
  void Answered(const Reply& reply, const Request& request, int64_t now);
  void Count(const Request& request, int64_t now);
  void Wait(int64_t until);
  int64_t DueOf(uint64_t request) const {
    return start_ + static_cast<int64_t>(static_cast<double>(request) * 1e9 / options_.rate);
  }

  const LoadOptions options_;
  const std::optional<SlotMap> slots_;  // with kFirst
  const std::vector<std::string> hosts_;
  Random random_;
  const std::string value_;
  int epoll_ = -1;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<Connection*> dirty_;
  std::vector<uint64_t> busy_;  // keys of a fill that were answered -BUSY
  int64_t busy_until_ = 0;

  int64_t start_ = 0;
  int64_t measured_from_ = 0;
  int64_t last_due_ = 0;  // the first moment without a request
  int64_t finished_ = 0;
  uint64_t next_ = 0;        // the next request to send
  uint64_t owed_ = 0;        // sent and not answered
  int64_t quiet_since_ = 0;  // since when nothing was answered although something is owed
  uint64_t errors_ = 0;
  uint64_t unanswered_ = 0;
  std::string first_error_;
  int64_t longest_stall_ns_ = 0;
  int64_t longest_stall_at_ns_ = 0;
  std::vector<int64_t> latencies_ns_[2];  // of GETs, of SETs
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> log_{nullptr, &std::fclose};
};

Generator::Generator(const LoadOptions& options)
    : options_(options),
      slots_(options.route == Route::kFirst ? std::optional(FetchSlotMap(options.hosts[0]))
                                            : std::nullopt),
      hosts_(slots_ ? slots_->nodes : options.hosts),
      random_(options.seed),
      value_(options.value_bytes, 'x') {
  if (options.connections < hosts_.size()) Die("fewer connections than nodes");
  if (!options.log.empty()) {
    log_.reset(std::fopen(options.log.c_str(), "w"));
    if (!log_) Die(options.log + ": " + std::strerror(errno));
  }
  prctl(PR_SET_TIMERSLACK, 1000);  // nanoseconds: wake when the next request is due
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  for (uint64_t i = 0; i < options_.connections; ++i) {
    auto connection = std::make_unique<Connection>();
    connection->address = hosts_[i % hosts_.size()];
    connection->fd = Connect(connection->address);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = connection.get();
    epoll_ctl(epoll_, EPOLL_CTL_ADD, connection->fd, &event);
    connections_.push_back(std::move(connection));
  }
}

void Generator::Run() {
  start_ = NowNs();
  measured_from_ = options_.fill ? start_ : start_ + Seconds(options_.warmup_s);
  last_due_ = measured_from_ + Seconds(options_.duration_s);
  const auto all_sent = [this] {
    return options_.fill ? next_ == options_.keys && busy_.empty() : DueOf(next_) >= last_due_;
  };
  int64_t give_up = INT64_MAX;
  while (!all_sent() || owed_ > 0) {
    const int64_t now = NowNs();
    if (now >= give_up) break;
    if (all_sent()) {
      if (give_up == INT64_MAX) give_up = now + Seconds(options_.timeout_s);
    } else if (options_.fill) {
      SendFill(now);
    } else {
      SendOpenLoop(now);
    }
    Flush();
    if (options_.fill) {
      Wait(now < busy_until_ ? busy_until_ : now + Seconds(1));
    } else {
      Wait(all_sent() ? std::min(give_up, now + Seconds(1)) : DueOf(next_));
    }
  }
  finished_ = NowNs();
  unanswered_ = owed_ + busy_.size();
  if (owed_ > 0) {
    longest_stall_ns_ = std::max(longest_stall_ns_, finished_ - quiet_since_);
    // What never came is at least this late: leaving it out would flatter the percentiles.
    for (const auto& connection : connections_) {
      for (const Request& request : connection->unanswered) {
        Count(request, finished_);
      }
    }
  }
}

void Generator::SendOpenLoop(int64_t now) {
  for (int64_t due = DueOf(next_); due <= now && due < last_due_; due = DueOf(next_)) {
    const bool set = random_.Below(1'000'000) < static_cast<uint64_t>(options_.sets * 1e6);
    const uint64_t key = random_.Below(options_.keys);
    Send(set, key, due, Choose(key));
    ++next_;
  }
}

// The connections of a node are as many numbers apart as there are nodes.
Connection* Generator::Choose(uint64_t key) {
  if (options_.route == Route::kRound) return connections_[next_ % connections_.size()].get();
  const uint64_t node = slots_ ? slots_->FirstNode(KeyName(key)) : random_.Below(hosts_.size());
  const uint64_t of_node = (connections_.size() - node - 1) / hosts_.size() + 1;
  return connections_[node + next_ % of_node * hosts_.size()].get();
}

void Generator::SendFill(int64_t now) {
  constexpr size_t kWindow = 16;
  if (now < busy_until_) return;
  for (const auto& connection : connections_) {
    while (connection->unanswered.size() < kWindow) {
      if (!busy_.empty()) {
        Send(true, busy_.back(), now, connection.get());
        busy_.pop_back();
      } else if (next_ < options_.keys) {
        Send(true, next_++, now, connection.get());
      } else {
        return;
      }
    }
  }
}

void Generator::Send(bool set, uint64_t key, int64_t due, Connection* connection) {
  const std::string name = KeyName(key);
  const std::string_view arguments[] = {set ? "SET" : "GET", name, value_};
  WriteCommand(std::span(arguments).first(set ? 3 : 2), &connection->out);
  connection->unanswered.push_back({due, key, set});
  if (owed_++ == 0) quiet_since_ = std::max(quiet_since_, due);
  if (!connection->dirty) dirty_.push_back(connection);
  connection->dirty = true;
}

void Generator::Flush() {
  for (Connection* connection : dirty_) {
    connection->dirty = false;
    if (!connection->wants_write) Write(connection);
  }
  dirty_.clear();
}

void Generator::Write(Connection* connection) {
  while (connection->sent < connection->out.size()) {
    const ssize_t count = write(connection->fd, connection->out.data() + connection->sent,
                                connection->out.size() - connection->sent);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno != EAGAIN) Die(connection->address + ": " + std::strerror(errno));
    if (count < 0) break;
    connection->sent += static_cast<size_t>(count);
  }
  const bool blocked = connection->sent < connection->out.size();
  if (!blocked) {
    connection->out.clear();
    connection->sent = 0;
  }
  if (blocked == connection->wants_write) return;
  connection->wants_write = blocked;
  epoll_event event{};
  event.events = blocked ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.ptr = connection;
  epoll_ctl(epoll_, EPOLL_CTL_MOD, connection->fd, &event);
}

void Generator::Read(Connection* connection) {
  const std::span<char> space = connection->replies.Prepare();
  const ssize_t count = read(connection->fd, space.data(), space.size());
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count < 0) Die(connection->address + ": " + std::strerror(errno));
  if (count == 0) Die(connection->address + " closed the connection");
  connection->replies.Commit(static_cast<size_t>(count));
  const int64_t now = NowNs();
  Reply reply;
  ReplyParser::Outcome outcome;
  while ((outcome = connection->replies.Next(&reply)) == ReplyParser::Outcome::kReply) {
    if (connection->unanswered.empty()) Die(connection->address + " answered what was not asked");
    Answered(reply, connection->unanswered.front(), now);
    connection->unanswered.pop_front();
  }
  if (outcome == ReplyParser::Outcome::kError) {
    Die(connection->address + ": " + connection->replies.error());
  }
}

void Generator::Answered(const Reply& reply, const Request& request, int64_t now) {
  if (options_.fill && reply.is_error() && reply.text.starts_with("BUSY")) {
    constexpr int64_t kPauseNs = 20'000'000;
    busy_.push_back(request.key);
    busy_until_ = now + kPauseNs;
  } else if (reply.is_error() && errors_++ == 0) {
    first_error_ = reply.text;
  }
  if (request.due >= measured_from_) {
    Count(request, now);
    if (now - quiet_since_ > longest_stall_ns_) {
      longest_stall_ns_ = now - quiet_since_;
      longest_stall_at_ns_ = quiet_since_ - measured_from_;
    }
  }
  quiet_since_ = now;
  --owed_;
}

void Generator::Count(const Request& request, int64_t now) {
  latencies_ns_[request.set].push_back(now - request.due);
  if (!log_) return;
  std::fprintf(log_.get(), "%s %.6f %.4f\n", request.set ? "SET" : "GET",
               static_cast<double>(request.due) / 1e9,
               static_cast<double>(now - request.due) / 1e6);
}

void Generator::Wait(int64_t until) {
  const int64_t left = std::max<int64_t>(until - NowNs(), 0);
  const timespec timeout{left / 1'000'000'000, left % 1'000'000'000};
  epoll_event events[64];
  const int count = epoll_pwait2(epoll_, events, 64, &timeout, nullptr);
  if (count < 0 && errno != EINTR) Die(std::string("epoll: ") + std::strerror(errno));
  for (int i = 0; i < count; ++i) {
    Connection* const connection = static_cast<Connection*>(events[i].data.ptr);
    if (events[i].events & EPOLLOUT) Write(connection);
    if (events[i].events & ~uint32_t{EPOLLOUT}) Read(connection);
  }
}

bool Generator::Report() const {
  const Latencies gets = SortedLatencies(latencies_ns_[0]);
  const Latencies sets = SortedLatencies(latencies_ns_[1]);
  std::vector<int64_t> both = gets.sorted_ns;
  both.insert(both.end(), sets.sorted_ns.begin(), sets.sorted_ns.end());
  const Latencies all = SortedLatencies(std::move(both));
  const double seconds = static_cast<double>(finished_ - measured_from_) / 1e9;
  const unsigned long long requests = all.sorted_ns.size();
  std::printf(
      options_.json ? "{\"requests\": %llu, \"seconds\": %.3f, \"rate\": %.1f, \"p50_ms\": %.3f, "
                      "\"p99_ms\": %.3f, \"p999_ms\": %.3f, \"max_ms\": %.3f, "
                      "\"get_mean_ms\": %.4f, \"get_p999_ms\": %.3f, "
                      "\"set_mean_ms\": %.4f, \"set_p999_ms\": %.3f, \"longest_stall_ms\": %.3f, "
                      "\"longest_stall_at_s\": %.3f, \"errors\": %llu, \"unanswered\": %llu}\n"
                    : "%llu requests in %.3f s, %.1f a second\n"
                      "p50 %.3f ms, p99 %.3f ms, p99.9 %.3f ms, max %.3f ms\n"
                      "GET: mean %.4f ms, p99.9 %.3f ms\nSET: mean %.4f ms, p99.9 %.3f ms\n"
                      "longest stall %.3f ms, at %.3f s\n%llu errors, %llu unanswered\n",
      requests, seconds, static_cast<double>(requests) / seconds, all.PercentileMs(0.5),
      all.PercentileMs(0.99), all.PercentileMs(0.999), all.PercentileMs(1), gets.MeanMs(),
      gets.PercentileMs(0.999), sets.MeanMs(), sets.PercentileMs(0.999),
      static_cast<double>(longest_stall_ns_) / 1e6, static_cast<double>(longest_stall_at_ns_) / 1e9,
      static_cast<unsigned long long>(errors_), static_cast<unsigned long long>(unanswered_));
  if (errors_ > 0) std::fprintf(stderr, "load_generator: answered: %s\n", first_error_.c_str());
  return errors_ == 0 && unanswered_ == 0;
}

}  // namespace
}  // namespace cartwheel

int main(int, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a lost connection is an errno of write
  cartwheel::Generator generator(cartwheel::ReadLoadOptions(argv));
  generator.Run();
  return generator.Report() ? 0 : 1;
}
