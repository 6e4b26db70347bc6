#include "server/driver.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <utility>

#include "base/check.h"
#include "server/keyspace_events.h"
#include "server/log.h"
#include "storage/lmdb/lmdb_engine.h"

namespace cartwheel {
namespace {

constexpr int64_t kStopTimeoutUs = 5'000'000;
constexpr int64_t kSweepUs = 1'000'000;
// Frames that wait for the engine to store what they tell of.
constexpr size_t kMaxWaitingBytes = 64 << 20;

}  // namespace

int Driver::Run() {
  EndTurn();  // what the start of the node asked for
  while (!stopped_) uv_run(&loop_, UV_RUN_ONCE);
  const Result<void> closed = CloseEngine();
  if (!closed) Fatal(closed.error());
  CloseConnections();
  LogEvent(LogLevel::kNotice, "stopped");
  return exit_status_;
}

void Driver::RefreshTime() {
  timespec wall{};
  clock_gettime(CLOCK_REALTIME, &wall);
  server_.now.mono_us = static_cast<int64_t>(uv_hrtime() / 1000);
  server_.now.wall_ms = int64_t{wall.tv_sec} * 1000 + wall.tv_nsec / 1000000;
}

void Driver::Deliver() {
  while (!effects_.answers.empty()) {
    answers_.swap(effects_.answers);
    for (Answer& answer : answers_) server_.calls.Deliver(std::move(answer));
    answers_.clear();
  }
}

bool Driver::HasWork() const {
  return clients_->AnyWoken() || effects_.control || !effects_.answers.empty() ||
         !effects_.outbox.sends.empty() || !effects_.sends_to_address.empty() ||
         !effects_.log.empty() || !effects_.published.empty() || !effects_.expired.empty() ||
         effects_.stop || effects_.departed;
}

void Driver::EndTurn() {
  RefreshTime();
  clients_->BeginTurn();
  do {
    do {
      Deliver();
    } while (clients_->ProcessWoken());
    CarryOut();
  } while (HasWork());
  ArmTimer();
  if (clients_->AnySpent()) {
    uv_idle_start(&no_sleep_, [](uv_idle_t*) {});
  } else {
    uv_idle_stop(&no_sleep_);
  }
  if (stopping_) GoOnStopping();
}

// What came while the turn was at work has waited for as long as it took.
void Driver::NoteQueueAge(int64_t polled_at_us) {
  RefreshTime();
  const int64_t turn_us = server_.now.mono_us - polled_at_us;
  server_.queue_age.Note(server_.now.mono_us, std::max(turn_us, clients_->PressedForUs()));
}

// The contract of cluster/effects.h.
void Driver::CarryOut() {
  if (effects_.control) {
    const Result<void> written = directory_->WriteControl(*effects_.control);
    if (!written) Fatal(written.error());
    effects_.control.reset();
  }
  const Result<void> flushed = engine_->Flush();
  if (!flushed) Fatal(flushed.error());
  const Sequences reached = engine_->sequences();
  ReleaseSends(reached);
  ReleaseSyncs(reached);
  bus_->Flush();
  for (const Published& published : effects_.published) {
    server_.pubsub.Publish(published.sharded, published.channel, published.message);
  }
  effects_.published.clear();
  for (const Key& key : effects_.expired) NoteExpired(&server_, key);
  effects_.expired.clear();
  clients_->Flush(reached.stored);

  for (const LogLine& line : effects_.log) LogText(line.level, line.text);
  effects_.log.clear();
  effects_.ring_changed = false;
  if (effects_.stop) {
    const std::string why = *std::exchange(effects_.stop, std::nullopt);
    std::fprintf(stderr, "cartwheel: %s\n", why.c_str());
    BeginStop(1, why);
  }
  if (std::exchange(effects_.departed, false)) {
    BeginStop(0, "this node has left its ring: all that it held is with the others");
  }
}

void Driver::ReleaseSends(const Sequences& reached) {
  std::erase_if(waiting_sends_, [&](const WaitingSend& send) {
    if (!MayLeave(send.after, send.synced, reached)) return false;
    bus_->Send(send.to, send.response, send.frame);
    waiting_bytes_ -= send.frame.size();
    return true;
  });
  std::swap(outbox_, effects_.outbox);
  for (const Send& send : outbox_.sends) {
    const std::string_view frame = outbox_.FrameOf(send);
    if (MayLeave(send.after, send.synced, reached)) {
      bus_->Send(send.to, send.response, frame);
      continue;
    }
    // An engine that is so late makes this node late; to whoever asked the frame is lost.
    if (waiting_bytes_ > 0 && waiting_bytes_ + frame.size() > kMaxWaitingBytes) {
      ++server_.bus.frames_dropped;
      continue;
    }
    waiting_bytes_ += frame.size();
    if (send.synced) engine_->SyncSoon(send.after);
    waiting_sends_.push_back({send.to, send.response, send.synced, send.after, std::string(frame)});
  }
  outbox_.Clear();
  sends_to_address_.swap(effects_.sends_to_address);
  for (const SendToAddress& send : sends_to_address_) bus_->SendTo(send.to, send.frame);
  sends_to_address_.clear();
}

void Driver::ReleaseSyncs(const Sequences& reached) {
  std::erase_if(waiting_syncs_, [&](const WaitingSync& sync) {
    if (sync.sequence > reached.synced) return false;
    effects_.answers.push_back({sync.id, 0, Done{}});
    return true;
  });
}

// The timer is set anew only for an earlier deadline; one that fires too early does no harm.
void Driver::ArmTimer() {
  const int64_t deadline_us = std::min(node_->NextDeadline(), server_.timers.NextDue());
  if (deadline_us >= armed_for_us_) return;
  armed_for_us_ = deadline_us;
  const int64_t delay_ms = std::max<int64_t>((deadline_us - server_.now.mono_us + 999) / 1000, 1);
  uv_update_time(&loop_);
  uv_timer_start(
      &deadline_timer_,
      [](uv_timer_t* timer) {
        auto* self = static_cast<Driver*>(timer->data);
        self->armed_for_us_ = INT64_MAX;
        self->RefreshTime();
        self->server_.timers.RunDue(self->server_.now.mono_us);
        self->Step(Tick{});
      },
      static_cast<uint64_t>(delay_ms), 0);
}

void Driver::Sweep() {
  RefreshTime();
  bus_->Sweep();
  if (const bool full = engine_->Full(); full != full_) {
    full_ = full;
    LogEvent(LogLevel::kWarning, "{}",
             full ? "no room: new values are refused, deletions still go"
                  : "there is room again: new values are taken");
  }
  if (server_.now.mono_us - swept_at_us_ < kSweepUs) return;
  swept_at_us_ = server_.now.mono_us;
  clients_->Sweep();
  const ServerCounters& counters = server_.counters;
  server_.rates.Note(server_.now.mono_us, counters.commands_processed, counters.input_bytes,
                     counters.output_bytes);
  for (const std::string& line : fault_log_.Note(server_.now.mono_us, CountersOf(server_))) {
    LogText(LogLevel::kWarning, line);
  }
}

void Driver::OnSignal(int number) {
  RefreshTime();
  if (number != SIGHUP) return BeginStop(0, number == SIGTERM ? "SIGTERM" : "SIGINT");
  const Result<void> opened = OpenLog(server_.options.logfile, server_.options.loglevel);
  LogEvent(LogLevel::kNotice, "SIGHUP: {}", opened ? "log reopened" : opened.error().message);
}

void Driver::BeginStop(int exit_status, std::string_view why) {
  exit_status_ = std::max(exit_status_, exit_status);
  if (stopping_) return;
  stopping_ = true;
  stop_deadline_us_ = server_.now.mono_us + kStopTimeoutUs;
  LogEvent(LogLevel::kNotice, "stopping: {}", why);
  for (const auto& listener : listeners_) listener->Close();
  clients_->Finish();
}

void Driver::GoOnStopping() {
  const bool done = clients_->empty() && waiting_sends_.empty() && bus_->Drained();
  if (stopped_ || (!done && server_.now.mono_us < stop_deadline_us_)) return;
  stopped_ = true;
  uv_stop(&loop_);
}

Result<void> Driver::CloseEngine() {
  auto* durable = dynamic_cast<LmdbEngine*>(engine_.get());
  return durable != nullptr ? durable->Close() : Result<void>{};
}

void Driver::CloseConnections() {
  uv_prepare_stop(&prepare_);
  uv_check_stop(&check_);
  bus_->CloseAll();
  clients_->CloseAll();
  for (const auto& listener : listeners_) listener->Close();
}

// Whatever is open yet is closed, and the loop runs until all of it is.
void Driver::CloseLoop() {
  const auto close = [](uv_handle_t* handle, void*) {
    if (!uv_is_closing(handle)) uv_close(handle, nullptr);
  };
  // A second SIGTERM, from here on, must not end what is ending well by its default.
  sigset_t stops;
  sigemptyset(&stops);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&stops, number);
  pthread_sigmask(SIG_BLOCK, &stops, nullptr);
  uv_walk(&loop_, close, nullptr);
  uv_run(&loop_, UV_RUN_DEFAULT);
  CHECK(uv_loop_close(&loop_) == 0);
}

// The process cannot keep its promises any more; the ring goes on without it.
void Driver::Fatal(const Status& status) {
  LogEvent(LogLevel::kWarning, "{}", status.message);
  std::fprintf(stderr, "cartwheel: %s\n", status.message.c_str());
  std::fflush(nullptr);
  _exit(1);
}

}  // namespace cartwheel
