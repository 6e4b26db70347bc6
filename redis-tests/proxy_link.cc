#include "redis-tests/proxy_link.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "cluster/hello.h"

namespace cartwheel::chaos {
namespace {

constexpr size_t kMaxQueuedBytes = 256 << 10;  // of one way; past that its source is not read

bool Names(int wanted, int number) { return wanted == kAnyNode || wanted == number; }

}  // namespace

Proxy::Proxy(uv_loop_t* the_loop, size_t nodes)
    : loop(the_loop),
      ids(nodes),
      rules(nodes + 1, std::vector<Rule>(nodes + 1)),
      half_open(nodes) {}

int Proxy::NumberOf(NodeId id) const {
  return static_cast<int>(std::find(ids.begin(), ids.end(), id) - ids.begin());
}

void Proxy::Release(Link* link) {
  std::erase_if(links, [link](const auto& other) { return other.get() == link; });
}

void Proxy::ChangeRules(int from, int to, const std::function<void(Rule*)>& change) {
  for (int i = 0; i <= stranger(); ++i) {
    for (int j = 0; j <= stranger(); ++j) {
      if (Names(from, i) && Names(to, j)) {
        change(&rules[static_cast<size_t>(i)][static_cast<size_t>(j)]);
      }
    }
  }
  for (const auto& link : links) link->Apply();
}

void Proxy::Heal(int from, int to) {
  for (int i = 0; i < stranger(); ++i) {
    if (Names(to, i)) half_open[static_cast<size_t>(i)] = false;
  }
  for (const auto& link : links) {
    // A stream with a hole in it is no use, and who was only accepted for must dial again.
    const bool broken = link->swallowed() ? link->Between(from, to) : !link->connected();
    if (broken) link->Reset();
  }
  ChangeRules(from, to, [](Rule* rule) { *rule = Rule(); });
}

Link::Link(Proxy* proxy, int target) : proxy_(proxy), dialler_(proxy->stranger()), target_(target) {
  for (size_t i = 0; i < ends_.size(); ++i) {
    End& end = ends_[i];
    end.link = this;
    end.peer = &ends_[1 - i];
    CHECK(uv_tcp_init(proxy->loop, &end.tcp) == 0);
    CHECK(uv_timer_init(proxy->loop, &end.timer) == 0);
    end.tcp.data = end.timer.data = &end;
  }
}

void Link::Accept(uv_stream_t* listener, int bus_port) {
  if (uv_accept(listener, ends_[0].stream()) != 0) return Reset();
  if (proxy_->half_open[static_cast<size_t>(target_)]) return;
  sockaddr_in address{};
  CHECK(uv_ip4_addr("127.0.0.1", bus_port, &address) == 0);
  connect_.data = this;
  const auto connected = [](uv_connect_t* request, int status) {
    auto* self = static_cast<Link*>(request->data);
    if (self->closing_) return;
    if (status != 0) return self->Reset();
    self->connected_ = true;
    for (End& end : self->ends_) uv_tcp_nodelay(&end.tcp, 1);
    self->Apply();
  };
  if (uv_tcp_connect(&connect_, &ends_[1].tcp, reinterpret_cast<const sockaddr*>(&address),
                     connected) != 0) {
    Reset();
  }
}

bool Link::Between(int from, int to) const {
  return (Names(from, dialler_) && Names(to, target_)) ||
         (Names(from, target_) && Names(to, dialler_));
}

void Link::Apply() {
  if (!connected_ || closing_) return;
  for (End& end : ends_) {
    SetReading(&end);
    Forward(&end);
  }
}

void Link::Reset() {
  if (closing_) return;
  closing_ = true;
  open_handles_ = 4;
  const auto closed = [](uv_handle_t* handle) {
    Link* self = static_cast<End*>(handle->data)->link;
    if (--self->open_handles_ == 0) self->proxy_->Release(self);
  };
  for (End& end : ends_) {
    uv_close(reinterpret_cast<uv_handle_t*>(&end.timer), closed);
    // Refused where the descriptor was never opened.
    if (uv_tcp_close_reset(&end.tcp, closed) != 0) {
      uv_close(reinterpret_cast<uv_handle_t*>(&end.tcp), closed);
    }
  }
}

const Rule& Link::RuleOf(const End* end) const {
  const bool from_dialler = end == &ends_[0];
  const int from = from_dialler ? dialler_ : target_;
  const int to = from_dialler ? target_ : dialler_;
  return proxy_->rules[static_cast<size_t>(from)][static_cast<size_t>(to)];
}

void Link::SetReading(End* end) {
  const bool wanted = !RuleOf(end).hold && end->queued_bytes < kMaxQueuedBytes;
  if (wanted == end->reading) return;
  end->reading = wanted;
  if (!wanted) {
    uv_read_stop(end->stream());
    return;
  }
  const auto allocate = [](uv_handle_t* handle, size_t, uv_buf_t* buffer) {
    auto* self = static_cast<End*>(handle->data);
    *buffer = uv_buf_init(self->space.data(), static_cast<unsigned>(self->space.size()));
  };
  const auto on_read = [](uv_stream_t* stream, ssize_t count, const uv_buf_t*) {
    auto* self = static_cast<End*>(stream->data);
    if (count > 0) self->link->OnRead(self, {self->space.data(), static_cast<size_t>(count)});
    if (count < 0) self->link->Reset();
  };
  if (uv_read_start(end->stream(), allocate, on_read) != 0) Reset();
}

void Link::OnRead(End* end, std::string_view bytes) {
  if (dialler_ == proxy_->stranger() && end == &ends_[0]) LearnDialler(bytes);
  const Rule& rule = RuleOf(end);
  if (rule.swallow) {
    swallowed_ = true;
    return;
  }
  int64_t due_us = std::max(proxy_->now_us() + rule.delay_us, end->last_due_us);
  if (rule.bytes_per_second > 0) {
    due_us += static_cast<int64_t>(bytes.size()) * 1'000'000 / rule.bytes_per_second;
  }
  end->last_due_us = due_us;
  end->queued_bytes += bytes.size();
  end->queue.push_back({std::string(bytes), due_us});
  SetReading(end);
  Forward(end);
}

// The first frame that the dialler sends is its hello.
void Link::LearnDialler(std::string_view bytes) {
  if (introduced_) return;
  while (!bytes.empty()) {
    const auto space = greeting_.Prepare();
    const size_t count = std::min(space.size(), bytes.size());
    std::memcpy(space.data(), bytes.data(), count);
    greeting_.Commit(count);
    bytes.remove_prefix(count);
  }
  const auto outcome = greeting_.Next();
  if (outcome == RequestParser::Outcome::kNeedMore) return;
  introduced_ = true;
  if (outcome != RequestParser::Outcome::kCommand) return;
  if (const auto hello = DecodeHello(greeting_.arguments())) {
    dialler_ = proxy_->NumberOf(hello->node);
    SetReading(&ends_[0]);
    SetReading(&ends_[1]);
  }
}

void Link::Forward(End* end) {
  while (!end->writing && !end->queue.empty() && !closing_ && !RuleOf(end).hold) {
    const int64_t wait_us = end->queue.front().due_us - proxy_->now_us();
    if (wait_us > 0) {
      const auto due = [](uv_timer_t* timer) {
        auto* self = static_cast<End*>(timer->data);
        self->link->Forward(self);
      };
      uv_timer_start(&end->timer, due, static_cast<uint64_t>(wait_us + 999) / 1000, 0);
      return;
    }
    end->written = std::move(end->queue.front().bytes);
    end->queue.pop_front();
    end->writing = true;
    end->write.data = end;
    const uv_buf_t buffer =
        uv_buf_init(end->written.data(), static_cast<unsigned>(end->written.size()));
    const auto on_written = [](uv_write_t* request, int status) {
      auto* self = static_cast<End*>(request->data);
      self->writing = false;
      self->queued_bytes -= self->written.size();
      if (self->link->closing_) return;
      if (status != 0) return self->link->Reset();
      self->link->SetReading(self);
      self->link->Forward(self);
    };
    if (uv_write(&end->write, end->peer->stream(), &buffer, 1, on_written) != 0) Reset();
  }
}

}  // namespace cartwheel::chaos
