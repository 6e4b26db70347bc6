#include "server/bus_link.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "server/data_directory.h"
#include "server/listener.h"

namespace cartwheel {
namespace {

// An idle link keeps no more of its output buffer than this.
constexpr size_t kKeptOutputBytes = 256 << 10;
constexpr unsigned kKeepaliveSeconds = 15;
// What a message holds besides its longest field, and besides its object.
constexpr uint64_t kFrameSlackBytes = 16 << 20;

// Until the handshake is done a stranger gets the small limits of a client before AUTH.
ParserLimits LimitsFor(uint64_t max_value_bytes) {
  ParserLimits limits;
  limits.max_bulk_bytes = max_value_bytes + kFrameSlackBytes;
  limits.max_command_bytes = 2 * limits.max_bulk_bytes;
  limits.authenticated = false;
  return limits;
}

}  // namespace

BusLink::BusLink(uv_loop_t* loop, const BusLinkEvents* events, HelloRole role,
                 uint64_t max_value_bytes, int64_t now_us)
    : loop_(loop),
      events_(events),
      role_(role),
      started_at_us_(now_us),
      our_nonce_(RandomBytes(kNonceBytes)),
      parser_(LimitsFor(max_value_bytes)),
      writer_(stream(), [this](int error) {
        if (error != 0) return Close(uv_strerror(error));
        Flush();
      }) {
  CHECK(uv_tcp_init(loop, &tcp_) == 0);
  tcp_.data = connect_.data = lookup_.data = this;
}

int BusLink::Accept(uv_stream_t* listener) {
  const int error = uv_accept(listener, stream());
  if (error != 0) return error;
  address_.host = PeerAddress(&tcp_);
  address_.host.resize(address_.host.rfind(':'));
  greeting_ = Encode(Challenge{our_nonce_});
  Begin();
  return 0;
}

void BusLink::Dial(const Address& address) {
  address_ = address;
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  if (uv_ip4_addr(address.host.c_str(), address.port, &v4) == 0) {
    Connect(reinterpret_cast<const sockaddr*>(&v4));
  } else if (uv_ip6_addr(address.host.c_str(), address.port, &v6) == 0) {
    Connect(reinterpret_cast<const sockaddr*>(&v6));
  } else {
    Resolve();
  }
}

void BusLink::Resolve() {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  const auto found = [](uv_getaddrinfo_t* lookup, int status, addrinfo* result) {
    auto* self = static_cast<BusLink*>(lookup->data);
    self->looking_up_ = false;
    if (self->closed()) {
      self->Release();
    } else if (status != 0) {
      self->Close(uv_strerror(status));
    } else {
      self->Connect(result->ai_addr);
    }
    uv_freeaddrinfo(result);
  };
  const std::string port = std::to_string(address_.port);
  const int error =
      uv_getaddrinfo(loop_, &lookup_, found, address_.host.c_str(), port.c_str(), &hints);
  if (error != 0) return Close(uv_strerror(error));
  looking_up_ = true;
}

void BusLink::Connect(const sockaddr* address) {
  const int error =
      uv_tcp_connect(&connect_, &tcp_, address, [](uv_connect_t* request, int status) {
        auto* self = static_cast<BusLink*>(request->data);
        if (self->closed()) return;
        if (status != 0) return self->Close(uv_strerror(status));
        self->Begin();
      });
  if (error != 0) Close(uv_strerror(error));
}

// Connected: the handshake begins.
void BusLink::Begin() {
  state_ = State::kHandshake;
  uv_tcp_nodelay(&tcp_, 1);
  uv_tcp_keepalive(&tcp_, 1, kKeepaliveSeconds);
  const auto allocate = [](uv_handle_t* handle, size_t, uv_buf_t* buffer) {
    const std::span<char> space = static_cast<BusLink*>(handle->data)->parser_.Prepare();
    *buffer = uv_buf_init(space.data(),
                          static_cast<unsigned>(std::min<size_t>(space.size(), size_t{1} << 30)));
  };
  const auto on_read = [](uv_stream_t* stream, ssize_t count, const uv_buf_t*) {
    static_cast<BusLink*>(stream->data)->OnRead(count);
  };
  const int error = uv_read_start(stream(), allocate, on_read);
  if (error != 0) return Close(uv_strerror(error));
  events_->activity(this);
}

void BusLink::OnRead(ssize_t count) {
  if (count == 0) return;
  if (count < 0) {
    return Close(count == UV_EOF ? "the connection was closed"
                                 : uv_strerror(static_cast<int>(count)));
  }
  bytes_in_ += static_cast<uint64_t>(count);
  parser_.Commit(static_cast<size_t>(count));
  events_->activity(this);
  while (!closed()) {
    switch (parser_.Next()) {
      case RequestParser::Outcome::kNeedMore: return;
      case RequestParser::Outcome::kTooLarge:
      case RequestParser::Outcome::kError: return Close(parser_.error());
      case RequestParser::Outcome::kCommand: break;
    }
    if (up()) {
      events_->frame(this, parser_.arguments());
    } else {
      OnHandshake(parser_.arguments());
    }
  }
}

void BusLink::OnHandshake(std::span<const std::string_view> fields) {
  const Result<void> done = HandshakeStep(fields);
  if (!done) {
    Flush();  // an acceptor's hello still goes: the other side can say why, too
    Close(done.error().message);
  }
}

Result<void> BusLink::HandshakeStep(std::span<const std::string_view> fields) {
  const HelloRole theirs =
      role_ == HelloRole::kDialler ? HelloRole::kAcceptor : HelloRole::kDialler;
  if (role_ == HelloRole::kDialler && !hello_sent_) {
    Result<Challenge> challenge = DecodeChallenge(fields);
    if (!challenge) return tl::unexpected(std::move(challenge.error()));
    peer_nonce_ = std::move(challenge->nonce);
    SendHello(our_nonce_, true);
    return {};
  }
  Result<Hello> hello = DecodeHello(fields);
  if (!hello) return tl::unexpected(std::move(hello.error()));
  if (role_ == HelloRole::kDialler && hello->nonce != peer_nonce_) {
    return Error(ErrorCode::kInvalid, "its hello does not fit its challenge");
  }
  Result<void> fits =
      CheckHello(*hello, theirs, our_nonce_, events_->hello().cluster_name, events_->secret);
  peer_ = std::move(*hello);
  if (role_ == HelloRole::kAcceptor) {
    peer_nonce_ = peer_.nonce;
    SendHello(our_nonce_, fits.has_value());
  }
  if (!fits) return fits;
  parser_.set_authenticated(true);
  state_ = State::kUp;
  if (role_ == HelloRole::kDialler) greeting_ += events_->opening();
  events_->up(this);
  return {};
}

void BusLink::SendHello(std::string_view our_nonce, bool with_proof) {
  Hello hello = events_->hello();
  hello.nonce = our_nonce;
  if (with_proof) hello.proof = ProofOf(events_->secret, role_, hello, peer_nonce_);
  greeting_ += Encode(hello);
  hello_sent_ = true;
  events_->activity(this);
}

void BusLink::Send(std::string_view frame) {
  if (closed()) return;
  const size_t queued = output_.size() + writer_.kept_bytes();
  if (queued == 0) large_bytes_ = 0;
  const bool large = frame.size() > kLargeFrame;
  const bool fits = large ? large_bytes_ + frame.size() <= kMaxLargeBytes
                          : queued + frame.size() <= kMaxQueuedBytes + large_bytes_;
  if (!fits) return Close("it does not read: its queue is full");
  if (large) large_bytes_ += frame.size();
  output_.append(frame);
}

void BusLink::Flush() {
  if (closed() || state_ == State::kConnecting || writer_.busy()) return;
  std::string* source = &output_;
  if (!greeting_.empty()) {
    if (up()) {
      greeting_.append(output_);
      output_.clear();
    }
    source = &greeting_;
  } else if (!up()) {
    return;
  }
  if (source->empty()) return;
  const ssize_t written = writer_.TryWrite(*source);
  if (written < 0) return Close(uv_strerror(static_cast<int>(written)));
  bytes_out_ += source->size();
  const size_t count = static_cast<size_t>(written);
  if (count == source->size()) {
    source->clear();
    if (source->capacity() > kKeptOutputBytes) source->shrink_to_fit();
    return;
  }
  const int error = writer_.Keep(std::exchange(*source, std::string()), count);
  if (error != 0) Close(uv_strerror(error));
}

void BusLink::Close(std::string_view reason) {
  if (closed()) return;
  state_ = State::kClosed;
  if (looking_up_) uv_cancel(reinterpret_cast<uv_req_t*>(&lookup_));
  uv_close(handle(), [](uv_handle_t* closing) {
    auto* self = static_cast<BusLink*>(closing->data);
    self->handle_closed_ = true;
    self->Release();
  });
  events_->down(this, reason);
}

// Both the handle and a look-up that could not be cancelled must be done with it.
void BusLink::Release() {
  if (handle_closed_ && !looking_up_) events_->released(this);
}

}  // namespace cartwheel
