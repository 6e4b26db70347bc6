// chaos_client: the clients of a chaos run and its checker. Commands are lines on stdin:
//
//   chaos_client HISTORY_DIRECTORY OPERATIONS_PER_SECOND PORT ...
//
//   begin PREFIX SEED  clients start on keys of this prefix         -> "ok"
//   counts             -> "ok acknowledged=N unknown=N refused=N unreachable=N reads=N ..."
//   drain SECONDS      clients go on, until every node has shown that it keeps no hint of what was
//                      written before, so long at most             -> "ok drained-ms=N"
//                      (-1: some are left)
//   finish SECONDS     clients stop; all nodes are asked with R = N until they agree and keep no
//                      hints, so long at most; every key's history is checked
//                                                                  -> "ok agreed-ms=N lost=N ..."
//                      (-1: they did not agree). Each violation is a line "violation ..." before
//                      it, and what happened to its key a file in HISTORY_DIRECTORY.
//
// It ends when stdin does.
#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "redis-tests/chaos_worker.h"
#include "redis-tests/history_checker.h"
#include "redis-tests/replies.h"
#include "redis-tests/status_poller.h"

namespace cartwheel::chaos {
namespace {

constexpr size_t kWorkers = 16;
constexpr int kContextKeys = 24;
constexpr int kMixedKeys = 12;
constexpr int kOwnKeysEach = 2;
constexpr int64_t kPollTimeoutMs = 2000;
constexpr auto kPollGap = std::chrono::milliseconds(100);

class Run {
 public:
  Run(std::string directory, uint64_t rate, std::vector<int> ports)
      : directory_(std::move(directory)),
        gap_us_(static_cast<int64_t>(1'000'000 * kWorkers / rate)),
        ports_(std::move(ports)),
        watch_(ports_.size()),
        poller_(ports_, &watch_) {}

  void Begin(const std::string& prefix, uint64_t seed) {
    prefix_ = prefix;
    keys_.clear();
    for (int i = 0; i < kContextKeys; ++i) AddKey("contexts", i, Use::kContexts, 0);
    for (int i = 0; i < kMixedKeys; ++i) AddKey("mixed", i, Use::kMixed, 0);
    for (size_t worker = 0; worker < kWorkers; ++worker) {
      for (int i = 0; i < kOwnKeysEach; ++i) {
        AddKey("own" + std::to_string(worker), i, Use::kOwn, worker);
      }
    }
    Random random(seed);
    for (size_t i = 0; i < kWorkers; ++i) {
      workers_.push_back(
          std::make_unique<ChaosWorker>(i, ports_, &keys_, random.Next(), gap_us_, &counters_));
    }
    for (const auto& worker : workers_) worker->Start();
  }

  std::string Counts() const {
    std::ostringstream text;
    text << "acknowledged=" << counters_.acknowledged << " unknown=" << counters_.unknown
         << " refused=" << counters_.refused << " unreachable=" << counters_.unreachable
         << " reads=" << counters_.reads << " failed-reads=" << counters_.failed_reads
         << " refused-reads=" << counters_.refused_reads;
    return text.str();
  }

  // The milliseconds that it took, or -1.
  int64_t Drain(int64_t seconds) const {
    const int64_t began_us = NowUs();
    while (NowUs() < began_us + seconds * 1'000'000) {
      if (watch_.DrainedAfter(began_us)) return (NowUs() - began_us) / 1000;
      std::this_thread::sleep_for(kPollGap);
    }
    return -1;
  }

  void Finish(int64_t seconds) {
    const int64_t began_us = NowUs();
    for (const auto& worker : workers_) worker->Stop();
    std::vector<FinalState> finals;
    const bool agreed = Agree(began_us + seconds * 1'000'000, &finals);
    const int64_t agreed_ms = agreed ? (NowUs() - began_us) / 1000 : -1;
    std::array<uint64_t, std::size(kFaultNames)> faults{};
    Verdict all;
    for (size_t key = 0; key < keys_.size() && agreed; ++key)
      CheckKey(key, finals[key], &faults, &all);
    size_t unexpected = 0;
    for (const auto& worker : workers_) {
      unexpected += worker->unexpected().size();
      for (const std::string& what : worker->unexpected()) {
        std::cout << "violation unexpected " << what << "\n";
      }
    }
    workers_.clear();
    if (!agreed) std::cout << "violation disagreement " << disagreement_ << "\n";
    std::cout << "ok agreed-ms=" << agreed_ms << " keys=" << keys_.size();
    for (size_t i = 0; i < faults.size(); ++i)
      std::cout << " " << kFaultNames[i] << "=" << faults[i];
    std::cout << " unexpected=" << unexpected << " twins=" << all.returned_twins
              << " stale=" << all.stale_reads << " certain-reads=" << all.certain_reads
              << std::endl;
  }

 private:
  void AddKey(const std::string& use_name, int number, Use use, size_t owner) {
    const std::string name = prefix_ + ":" + use_name + ":" + std::to_string(number);
    keys_.push_back({name, use, owner, PositionOf(0, name, Partitioner::kSlot)});
  }

  KeyHistory HistoryOf(size_t key) const {
    KeyHistory history;
    history.key = keys_[key].name;
    for (const auto& worker : workers_) {
      const KeyHistory& part = worker->histories()[key];
      history.writes.insert(history.writes.end(), part.writes.begin(), part.writes.end());
      history.reads.insert(history.reads.end(), part.reads.begin(), part.reads.end());
    }
    std::sort(history.writes.begin(), history.writes.end(),
              [](const Write& a, const Write& b) { return a.began_us < b.began_us; });
    return history;
  }

  void CheckKey(size_t key, const FinalState& final_state,
                std::array<uint64_t, std::size(kFaultNames)>* faults, Verdict* all) const {
    KeyHistory history = HistoryOf(key);
    watch_.Judge(&history);
    const Verdict verdict = HistoryChecker(history, final_state).Check();
    all->returned_twins += verdict.returned_twins;
    all->stale_reads += verdict.stale_reads;
    all->certain_reads += verdict.certain_reads;
    for (const Violation& violation : verdict.violations) {
      ++(*faults)[static_cast<size_t>(violation.fault)];
      std::cout << "violation " << kFaultNames[static_cast<size_t>(violation.fault)] << " "
                << violation.what << "\n";
    }
    if (verdict.violations.empty()) return;
    std::string name = keys_[key].name;
    std::replace(name.begin(), name.end(), ':', '-');
    std::ofstream file(directory_ + "/" + name + ".history");
    file << ToText(history) << ToText(final_state);
    for (const Violation& violation : verdict.violations) file << violation.what << "\n";
  }

  // What one node says of all keys with R = N; nothing when it does not answer for one.
  std::optional<std::vector<FinalState>> Ask(int port) {
    disagreement_ = "port " + std::to_string(port) + " does not answer";
    RedisClient client(port, kPollTimeoutMs);
    const Reply replicas = client.Call({"DYN.PREFLIST", keys_.front().name});
    if (replicas == nullptr || replicas->type != REDIS_REPLY_ARRAY) return std::nullopt;
    const std::string n = std::to_string(replicas->elements);
    const Reply quorum = client.Call({"DYN.QUORUM", "R", n});
    if (quorum == nullptr || IsError(*quorum)) return std::nullopt;
    std::vector<Words> commands;
    for (const ChaosKey& key : keys_) {
      commands.push_back({"DYN.GET", key.name});
      commands.push_back({"DYN.SIBLINGS", key.name});
    }
    const std::vector<Reply> replies = client.Pipeline(commands);
    if (replies.empty()) return std::nullopt;
    std::vector<FinalState> states;
    for (size_t i = 0; i < keys_.size(); ++i) {
      const auto versions = ParseVersions(keys_[i].position, *replies[2 * i]);
      auto siblings = ParseSiblings(*replies[2 * i + 1]);
      if (!versions || !siblings) {
        disagreement_ = "port " + std::to_string(port) + ", key " + keys_[i].name + ": " +
                        TextOf(*replies[2 * i]) + " " + TextOf(*replies[2 * i + 1]);
        return std::nullopt;
      }
      std::sort(siblings->begin(), siblings->end());
      states.push_back({versions->context, *std::move(siblings)});
    }
    return states;
  }

  // Until all nodes said the same twice in turn: what a node that stood still has yet to carry out
  // comes then, too.
  bool Agree(int64_t deadline_us, std::vector<FinalState>* finals) {
    const int64_t clients_ended_us = NowUs();
    std::optional<std::vector<FinalState>> last;
    while (NowUs() < deadline_us) {
      std::optional<std::vector<FinalState>> common = Ask(ports_.front());
      for (size_t i = 1; i < ports_.size() && common; ++i) {
        const auto states = Ask(ports_[i]);
        if (states && states != common) {
          disagreement_ = "port " + std::to_string(ports_[i]) + " shows other versions";
        }
        if (states != common) common.reset();
      }
      // A hint may be all there is of a write whose replicas were away.
      if (common && common == last && watch_.DrainedAfter(clients_ended_us)) {
        *finals = *std::move(common);
        return true;
      }
      last = std::move(common);
      std::this_thread::sleep_for(kPollGap);
    }
    return false;
  }

  const std::string directory_;
  const int64_t gap_us_;
  const std::vector<int> ports_;
  std::string prefix_;
  std::string disagreement_;  // what was met last
  std::vector<ChaosKey> keys_;
  Counters counters_;
  std::vector<std::unique_ptr<ChaosWorker>> workers_;
  QuorumWatch watch_;
  StatusPoller poller_;
};

int Main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "chaos_client HISTORY_DIRECTORY OPERATIONS_PER_SECOND PORT ...\n");
    return 1;
  }
  std::signal(SIGPIPE, SIG_IGN);
  std::vector<int> ports;
  for (int i = 3; i < argc; ++i) ports.push_back(std::atoi(argv[i]));
  Run run(argv[1], static_cast<uint64_t>(std::atoll(argv[2])), std::move(ports));
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command;
    words >> command;
    if (command == "begin") {
      std::string prefix;
      uint64_t seed = 0;
      words >> prefix >> seed;
      run.Begin(prefix, seed);
      std::cout << "ok" << std::endl;
    } else if (command == "counts") {
      std::cout << "ok " << run.Counts() << std::endl;
    } else if (command == "drain") {
      int64_t seconds = 0;
      words >> seconds;
      std::cout << "ok drained-ms=" << run.Drain(seconds) << std::endl;
    } else if (command == "finish") {
      int64_t seconds = 0;
      words >> seconds;
      run.Finish(seconds);
    } else {
      std::cout << "error " << line << std::endl;
    }
  }
  std::quick_exit(0);  // clients may be at work
}

}  // namespace
}  // namespace cartwheel::chaos

int main(int argc, char** argv) { return cartwheel::chaos::Main(argc, argv); }
