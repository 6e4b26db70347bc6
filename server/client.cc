#include "server/client.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "server/listener.h"

namespace cartwheel {
namespace {

// What is read of one client in a turn: some thousand small commands.
constexpr size_t kTurnBytes = 256 << 10;

}  // namespace

Client::Client(uv_loop_t* loop, Server* server, const ClientEvents* events, bool unix_socket)
    : server_(server),
      events_(events),
      unix_socket_(unix_socket),
      pipeline_(server, [this] { events_->woken(this); }),
      writer_(stream(), [this](int error) {
        session().kept_bytes = 0;
        if (error == 0) return events_->woken(this);
        Close();
      }) {
  const int error =
      unix_socket ? uv_pipe_init(loop, &handle_.pipe, 0) : uv_tcp_init(loop, &handle_.tcp);
  CHECK(error == 0);
  handle_.any.data = this;
}

int Client::Accept(uv_stream_t* listener) { return uv_accept(listener, stream()); }

void Client::Start(uint64_t id) {
  Session& own = session();
  own.id = id;
  own.connected_at_us = own.last_command_at_us = server_->now.mono_us;
  uv_os_fd_t fd = -1;
  uv_fileno(&handle_.any, &fd);
  own.fd = fd;
  own.unix_socket = unix_socket_;
  if (unix_socket_) {
    own.local = true;
    own.address = own.local_address = server_->options.unixsocket + ":0";
  } else {
    own.local = PeerIsLoopback(&handle_.tcp);
    own.address = PeerAddress(&handle_.tcp);
    own.local_address = LocalAddress(&handle_.tcp);
    uv_tcp_nodelay(&handle_.tcp, 1);
    const int64_t delay = server_->options.tcp_keepalive_s;
    if (delay > 0) uv_tcp_keepalive(&handle_.tcp, 1, static_cast<unsigned>(delay));
  }
  StartReading();
}

void Client::Refuse(std::string_view line) {
  const std::string text = std::string(line) + "\r\n";
  writer_.TryWrite(text);
  Close();
}

void Client::StartReading() {
  const auto allocate = [](uv_handle_t* handle, size_t, uv_buf_t* buffer) {
    const std::span<char> space = static_cast<Client*>(handle->data)->pipeline_.Prepare();
    *buffer = uv_buf_init(space.data(),
                          static_cast<unsigned>(std::min<size_t>(space.size(), size_t{1} << 30)));
  };
  const auto on_read = [](uv_stream_t* stream, ssize_t count, const uv_buf_t*) {
    static_cast<Client*>(stream->data)->OnRead(count);
  };
  if (uv_read_start(stream(), allocate, on_read) != 0) return Close();
  reading_ = true;
}

void Client::StopReading() {
  if (reading_) uv_read_stop(stream());
  reading_ = false;
}

void Client::OnRead(ssize_t count) {
  if (count == 0) return;  // nothing there after all
  if (count == UV_EOF) {
    end_of_input_ = true;
    StopReading();
    return events_->woken(this);
  }
  if (count < 0) return Close();
  server_->counters.input_bytes += static_cast<uint64_t>(count);
  pipeline_.Commit(static_cast<size_t>(count));
  read_bytes_ += static_cast<size_t>(count);
  if (read_bytes_ >= kTurnBytes) StopReading();  // until this turn's end
  events_->woken(this);
}

void Client::Grant(size_t commands) {
  pipeline_.Grant(commands);
  read_bytes_ = 0;
}

void Client::Process() {
  pipeline_.Process();
  if (running_out_) return;
  if (!pipeline_.WantsInput()) StopReading();
}

bool Client::Flush(uint64_t stored) {
  if (closing() || writer_.busy()) return true;
  if (end_of_input_ && pipeline_.HeldUp()) {  // nobody is there to wait for it
    Close();
    return true;
  }
  const std::string_view ready = pipeline_.Writable(stored);
  const bool all = ready.size() == pipeline_.output_bytes();
  if (!ready.empty()) {
    const ssize_t written = writer_.TryWrite(ready);
    if (written < 0) {
      Close();
      return true;
    }
    server_->counters.output_bytes += ready.size();
    const size_t count = static_cast<size_t>(written);
    if (count == ready.size()) {
      pipeline_.Consume(count);
    } else {
      std::string rest;
      size_t offset = 0;
      if (all) {
        pipeline_.Swap(&rest);
        offset = count;
      } else {
        rest = ready.substr(count);
        pipeline_.Consume(ready.size());
      }
      if (writer_.Keep(std::move(rest), offset) != 0) Close();
      session().kept_bytes = writer_.kept_bytes();
      return true;
    }
  }
  if ((end_of_input_ || pipeline_.closing()) && Quiet()) {
    Close();
    return true;
  }
  if (!reading_ && !end_of_input_ && pipeline_.WantsInput()) StartReading();
  return all;
}

bool Client::Quiet() const {
  return pipeline_.Idle() && pipeline_.output_bytes() == 0 && !writer_.busy();
}

void Client::Finish() {
  if (closing()) return;
  StopReading();
  end_of_input_ = true;
  if (Quiet()) Close();
}

void Client::Close() {
  if (closing()) return;
  reading_ = false;
  uv_close(&handle_.any, [](uv_handle_t* handle) {
    auto* self = static_cast<Client*>(handle->data);
    self->events_->closed(self);
  });
}

}  // namespace cartwheel
