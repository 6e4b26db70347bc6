#include "server/clients.h"

#include <algorithm>
#include <utility>

#include "server/listener.h"
#include "server/log.h"

namespace cartwheel {
namespace {

constexpr int64_t kSecondUs = 1000000;
// Idle connections give their buffers back after this.
constexpr int64_t kReleaseAfterUs = 2 * kSecondUs;

// Commands of all clients in a turn, as far as a share is no smaller than the least: a client with
// much to do is served on in the next turn, after all others.
constexpr size_t kTurnCommands = 1024;
constexpr size_t kLeastShare = 16;
constexpr size_t kLargestShare = 256;

constexpr std::string_view kTooManyClients = "-ERR max number of clients reached";
constexpr std::string_view kProtected =
    "-DENIED Cartwheel is in protected mode: it has no password, so only clients on this machine "
    "are served. Set `requirepass`, or `protected-mode no` if everybody who can reach this port "
    "may read and write everything.";

}  // namespace

Clients::Clients(uv_loop_t* loop, Server* server) : loop_(loop), server_(server) {
  events_.woken = [this](Client* client) { Wake(client); };
  events_.closed = [this](Client* client) { Closed(client); };
}

Clients::~Clients() = default;

void Clients::Accept(uv_stream_t* listener, bool unix_socket) {
  auto client = std::make_unique<Client>(loop_, server_, &events_, unix_socket);
  Client* const raw = client.get();
  clients_.push_back(std::move(client));
  const int error = raw->Accept(listener);
  if (error != 0) {
    LogEvent(LogLevel::kVerbose, "a client was not accepted: {}", uv_strerror(error));
    return raw->Close();
  }
  ++server_->counters.connections_received;
  if (!Admit(raw, unix_socket)) {
    ++server_->counters.connections_rejected;
    return;
  }
  raw->Start(next_id_++);
  ++served_;
  server_->sessions.emplace(raw->session().id, &raw->session());
}

bool Clients::Admit(Client* client, bool unix_socket) {
  if (finishing_) {
    client->Close();
    return false;
  }
  const Options& options = server_->options;
  if (served_ >= options.maxclients) {
    client->Refuse(kTooManyClients);
    return false;
  }
  if (options.protected_mode && options.requirepass.empty() && !unix_socket &&
      !PeerIsLoopback(client->tcp())) {
    client->Refuse(kProtected);
    return false;
  }
  return true;
}

void Clients::Wake(Client* client) {
  if (client->woken || (client->closing() && !client->running_out())) return;
  client->woken = true;
  woken_.push_back(client);
}

void Clients::Closed(Client* client) {
  if (server_->sessions.erase(client->session().id) > 0) --served_;
  if (!client->Replaying()) return Forget(client);
  client->RunOut();
  Wake(client);
}

void Clients::Forget(Client* client) {
  std::erase(woken_, client);
  std::erase(starved_, client);
  std::erase(spent_, client);
  std::erase(flush_due_, client);
  const auto found = std::find_if(clients_.begin(), clients_.end(),
                                  [&](const auto& owned) { return owned.get() == client; });
  std::swap(*found, clients_.back());
  clients_.pop_back();
}

void Clients::BeginTurn() {
  ++turn_;
  for (Client* const client : std::exchange(spent_, {})) {
    client->spent = false;
    Wake(client);
  }
  share_ =
      std::clamp(kTurnCommands / std::max<size_t>(woken_.size(), 1), kLeastShare, kLargestShare);
}

int64_t Clients::PressedForUs() {
  // What is in flight when half of it is done does not make others wait for long.
  if (!server_->calls.HalfFull()) pressed_since_us_ = 0;
  return pressed_since_us_ == 0 ? 0 : server_->now.mono_us - pressed_since_us_;
}

bool Clients::ProcessWoken() {
  if (!starved_.empty() && (!server_->calls.Full() || server_->queue_age.overloaded())) {
    for (Client* const client : std::exchange(starved_, {})) Wake(client);
  }
  if (woken_.empty()) return false;
  working_.swap(woken_);
  for (Client* const client : working_) {
    client->woken = false;
    if (!client->flush_due) {
      client->flush_due = true;
      flush_due_.push_back(client);
    }
    if (client->closing() && !client->running_out()) continue;
    if (std::exchange(client->turn, turn_) != turn_) client->Grant(share_);
    client->Process();
    if (client->running_out() && !client->Replaying()) {
      run_out_.push_back(client);
      continue;
    }
    if (client->Starved()) starved_.push_back(client);
    if (client->WaitsForOthers() && pressed_since_us_ == 0) {
      pressed_since_us_ = server_->now.mono_us;
    }
    if (client->Spent() && !std::exchange(client->spent, true)) spent_.push_back(client);
  }
  working_.clear();
  for (Client* const client : std::exchange(run_out_, {})) Forget(client);
  return true;
}

void Clients::Flush(uint64_t stored) {
  working_.swap(flush_due_);
  for (Client* const client : working_) {
    if (OverLimit(client)) {
      client->Close();
    } else if (!client->Flush(stored)) {
      flush_due_.push_back(client);  // the rest waits for the engine
      continue;
    }
    client->flush_due = false;
  }
  working_.clear();
}

// client-output-buffer-limit: true when the client has too much unread output.
bool Clients::OverLimit(Client* client) {
  const OutputLimits& limits = server_->options.output_limits;
  const OutputLimit& limit = client->session().Subscriptions() > 0 ? limits.pubsub : limits.normal;
  const size_t bytes = client->output_bytes();
  const bool over_soft = limit.soft_bytes > 0 && bytes > limit.soft_bytes;
  if (!over_soft) {
    client->soft_since_us = 0;
  } else if (client->soft_since_us == 0) {
    client->soft_since_us = server_->now.mono_us;
  }
  const bool too_long =
      over_soft && server_->now.mono_us - client->soft_since_us > limit.soft_seconds * kSecondUs;
  if (!too_long && (limit.hard_bytes == 0 || bytes <= limit.hard_bytes)) return false;
  ++server_->counters.output_limit_closes;
  LogEvent(LogLevel::kWarning, "client {} closed: {} bytes of output, past its limit",
           client->session().address, bytes);
  return true;
}

void Clients::Sweep() {
  const int64_t now = server_->now.mono_us;
  const int64_t timeout = server_->options.timeout_s * kSecondUs;
  for (const auto& client : clients_) {
    if (client->closing()) continue;
    const int64_t idle = now - client->session().last_command_at_us;
    const bool timed_out = timeout > 0 && idle > timeout && client->Quiet();
    if (timed_out || OverLimit(client.get())) {
      client->Close();
    } else if (idle > kReleaseAfterUs && client->Quiet()) {
      client->ReleaseMemory();
    }
  }
}

bool Clients::CloseNow(uint64_t id) {
  for (const auto& client : clients_) {
    if (client->session().id != id || client->closing()) continue;
    client->Close();
    // It is gone from now on, whenever the loop lets go of its socket.
    if (server_->sessions.erase(id) > 0) --served_;
    return true;
  }
  return false;
}

void Clients::Finish() {
  finishing_ = true;
  for (const auto& client : clients_) client->Finish();
}

void Clients::CloseAll() {
  for (const auto& client : clients_) client->Close();
}

}  // namespace cartwheel
