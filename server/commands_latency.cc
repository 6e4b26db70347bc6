// LATENCY: commands that took longer than latency-monitor-threshold, and the times of all commands.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "server/command.h"
#include "server/commands.h"
#include "server/text.h"

namespace cartwheel {
namespace {

constexpr int64_t kBarWidth = 50;

const LatencyEvents& EventsOf(Call& call) { return call.server().stats.latency; }

void LatencyLatest(Call& call) {
  const auto& events = EventsOf(call).events();
  ReplyWriter reply = call.Reply();
  reply.Array(events.size());
  for (const auto& [kind, event] : events) {
    reply.Array(4);
    reply.Bulk(kind);
    reply.Integer(event.samples.back().wall_s);
    reply.Integer(event.samples.back().ms);
    reply.Integer(event.most_ms);
  }
}

void LatencyHistory(Call& call) {
  const LatencyEvent* const event = EventsOf(call).Find(call.arg(2));
  ReplyWriter reply = call.Reply();
  if (event == nullptr) return reply.Array(0);
  reply.Array(event->samples.size());
  for (const LatencyEvent::Sample& sample : event->samples) {
    reply.Array(2);
    reply.Integer(sample.wall_s);
    reply.Integer(sample.ms);
  }
}

void LatencyReset(Call& call) {
  LatencyEvents& events = call.server().stats.latency;
  size_t count = 0;
  if (call.arg_count() == 2) count = events.Clear();
  for (const std::string_view kind : call.args().subspan(2)) {
    count += events.Clear(kind);
  }
  call.Reply().Integer(static_cast<int64_t>(count));
}

// A line for each sample, the oldest first, with a bar as long as its share of the longest.
void LatencyGraph(Call& call) {
  const std::string_view kind = call.arg(2);
  const LatencyEvent* const event = EventsOf(call).Find(kind);
  if (event == nullptr) {
    return call.Error(fmt::format("ERR No samples available for event '{}'", Shown(kind)));
  }
  const auto by_ms = [](const LatencyEvent::Sample& a, const LatencyEvent::Sample& b) {
    return a.ms < b.ms;
  };
  const auto [least, most] =
      std::minmax_element(event->samples.begin(), event->samples.end(), by_ms);
  std::string text = fmt::format("{} - high {} ms, low {} ms (all time high {} ms)\n", kind,
                                 most->ms, least->ms, event->most_ms);
  for (const LatencyEvent::Sample& sample : event->samples) {
    const int64_t width =
        std::max<int64_t>(1, sample.ms * kBarWidth / std::max<int64_t>(1, most->ms));
    fmt::format_to(std::back_inserter(text), "{:>7} s ago {:>8} ms {}\n",
                   call.now().wall_ms / 1000 - sample.wall_s, sample.ms,
                   std::string(static_cast<size_t>(width), '#'));
  }
  call.Reply().Verbatim("txt", text);
}

void LatencyDoctor(Call& call) {
  const auto& events = EventsOf(call).events();
  if (call.server().options.latency_threshold_ms == 0) {
    return call.Reply().Verbatim("txt",
                                 "Nothing is watched: set latency-monitor-threshold to the "
                                 "milliseconds past which a command is too slow.\n");
  }
  std::string text;
  if (events.empty()) text = "No command was too slow so far.\n";
  for (const auto& [kind, event] : events) {
    int64_t sum_ms = 0;
    for (const LatencyEvent::Sample& sample : event.samples) sum_ms += sample.ms;
    fmt::format_to(std::back_inserter(text),
                   "{}: {} times since {} s ago, {} ms on average, {} ms at most ever.\n", kind,
                   event.samples.size(), call.now().wall_ms / 1000 - event.samples.front().wall_s,
                   sum_ms / static_cast<int64_t>(event.samples.size()), event.most_ms);
  }
  if (!events.empty()) {
    text +=
        "SLOWLOG GET names the commands. A command's time includes that of the replicas it "
        "asked: DYN.EXPLAIN shows for a key which of them are late.\n";
  }
  call.Reply().Verbatim("txt", text);
}

// The commands that are asked for and have been called; a container stands for its subcommands.
std::vector<const Command*> CalledCommands(Call& call) {
  std::vector<const Command*> called;
  const auto add = [&](const Command& command) {
    if (call.server().stats.commands[command.id].times.total() > 0) called.push_back(&command);
  };
  const auto add_all = [&](const Command& command) {
    add(command);
    for (const Command& subcommand : command.subcommands) add(subcommand);
  };
  if (call.arg_count() == 2) {
    for (const Command& command : CommandTable()) add_all(command);
  }
  for (const std::string_view name : call.args().subspan(2)) {
    const Command* const command = FindByFullName(name);
    if (command != nullptr) add_all(*command);
  }
  return called;
}

void LatencyHistogramCommand(Call& call) {
  const std::vector<const Command*> called = CalledCommands(call);
  ReplyWriter reply = call.Reply();
  reply.Map(called.size());
  for (const Command* command : called) {
    const LatencyHistogram& times = call.server().stats.commands[command->id].times;
    const auto steps = times.Steps();
    reply.Bulk(command->name);
    reply.Map(2);
    reply.Bulk("calls");
    reply.Integer(static_cast<int64_t>(times.total()));
    reply.Bulk("histogram_usec");
    reply.Map(steps.size());
    for (const LatencyHistogram::Step& step : steps) {
      reply.Integer(static_cast<int64_t>(step.ns / 1000));
      reply.Integer(static_cast<int64_t>(step.values));
    }
  }
}

constexpr uint32_t kFlags = kAdmin | kNoScript | kAnytime;
constexpr std::string_view kKinds =
    "the events are command and fast-command, of which a time includes that of the replicas";

constexpr CommandRow kLatencyTable[] = {
    {"latency|doctor", 2, kFlags, kNoKeys, LatencyDoctor, "2.8.13", "What was slow, in words.",
     "DOCTOR", "says it in words of its own"},
    {"latency|graph", 3, kFlags, kNoKeys, LatencyGraph, "2.8.13", "The times of an event, drawn.",
     "GRAPH <event>", "draws a line for each sample"},
    {"latency|histogram", -2, kFlags, kNoKeys, LatencyHistogramCommand, "7.0.0",
     "How many calls of commands took how long.", "HISTOGRAM [<command> ...]",
     "a command's time includes that of the replicas"},
    {"latency|history", 3, kFlags, kNoKeys, LatencyHistory, "2.8.13", "The times of an event.",
     "HISTORY <event>", kKinds},
    {"latency|latest", 2, kFlags, kNoKeys, LatencyLatest, "2.8.13",
     "The last time of each event, and the longest.", "LATEST", kKinds},
    {"latency|reset", -2, kFlags, kNoKeys, LatencyReset, "2.8.13", "Forgets events.",
     "RESET [<event> ...]"},
};

constexpr CommandRow kRows[] = {
    {"latency", -2, 0, kNoKeys, nullptr, "2.8.13", "Shows what took long.", "", "", kLatencyTable},
};

}  // namespace

CommandFamily LatencyCommands() { return {"server", kRows}; }

}  // namespace cartwheel
