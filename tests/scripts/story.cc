#include "tests/scripts/story.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <utility>

#include "base/check.h"
#include "base/decimal.h"
#include "storage/context_token.h"
#include "storage/record.h"
#include "storage/sibling_copy.h"
#include "tests/simulation/world.h"

namespace cartwheel::sim {
namespace {

constexpr int64_t kMs = 1000;
constexpr int64_t kSecond = 1'000'000;

using Words = std::vector<std::string>;

Words Split(const std::string& line) {
  std::istringstream in(line);
  Words words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

int64_t ParseTime(const std::string& text) {
  const size_t digits = text.find_first_not_of("0123456789");
  const int64_t number = ParseInteger(text.substr(0, digits)).value_or(0);
  if (digits == std::string::npos) return number * kMs;
  return number * (text.substr(digits) == "s" ? kSecond : kMs);
}

class Stage : public WorldObserver {
 public:
  std::string Play(const std::vector<std::string>& commands) {
    out_.clear();
    for (const std::string& line : commands) Do(Split(line));
    return out_;
  }

  void OnAnswer(int, const Answer& answer) override {
    const auto it = asked_.find(answer.id);
    CHECK(it != asked_.end());
    const Asked asked = it->second;
    asked_.erase(it);
    if (asked.into != nullptr) {
      *asked.into = answer;
      return;
    }
    Say((asked.later ? "(" + asked.what + ") " : "") + Told(answer, asked));
  }
  void OnNodeDown(int node) override {
    std::erase_if(asked_, [&](const auto& entry) {
      if (entry.second.node != node) return false;
      Say((entry.second.later ? "(" + entry.second.what + ") " : "") + "connection lost");
      return true;
    });
  }
  void OnPut(int, const Position&, std::string_view) override {}
  void OnDrop(int, const Position&, std::string_view) override {}
  void OnStep(int, const CausalContext*) override {}

 private:
  struct Asked {
    int node = 0;
    std::string what;
    Key key;
    std::string name;  // of the context in the answer
    bool later = false;
    bool siblings = false;
    std::optional<Answer>* into = nullptr;  // instead of being printed
  };
  // The words of a command that are no options, and the options: ctx=c1, as=c2.
  struct Line {
    Words words;
    std::map<std::string, std::string> options;
  };

  void Say(const std::string& line) { out_ += line + "\n"; }

  static Line Sort(const Words& words) {
    Line line;
    for (const std::string& word : words) {
      const size_t equals = word.find('=');
      if (equals == std::string::npos) {
        line.words.push_back(word);
      } else {
        line.options[word.substr(0, equals)] = word.substr(equals + 1);
      }
    }
    return line;
  }

  void Do(Words words) {
    const bool later = words[0] == "later";
    if (later) words.erase(words.begin());
    const Line line = Sort(words);
    const std::string& verb = line.words[0];
    if (verb == "nodes") return MakeRing(line);
    if (verb == "trace") {
      tracing_ = line.words.at(1) == "on";
    } else if (verb == "copies") {
      Copies(line.words.at(1));
    } else if (verb == "prefers") {
      std::string nodes;
      for (const NodeId id : world_->node(0).ring().PreferenceList(At(line.words.at(1)).slot)) {
        nodes += (nodes.empty() ? "" : " ") + std::to_string(world_->IndexOf(id) + 1);
      }
      Say(nodes);
    } else if (verb == "drop" || verb == "cut") {
      Part(verb == "cut", line.words.at(1));
    } else if (verb == "break") {
      world_->network().Break(world_->now_us(), NodeOf(line.words.at(1)));
    } else if (verb == "skew") {
      Skew(NodeOf(line.words.at(1)), line.words.at(2));
    } else if (verb == "clog") {
      Clog(line.words.at(1), ParseTime(line.words.at(2)));
    } else if (verb == "heal") {
      world_->network().Heal();
    } else if (verb == "crash") {
      world_->Crash(NodeOf(line.words.at(1)), LossOf(line));
    } else if (verb == "copy") {
      world_->CopyDisk(NodeOf(line.words.at(1)));
    } else if (verb == "crash-in-commit") {
      world_->CrashInCommit(NodeOf(line.words.at(1)), std::stoi(line.words.at(2)));
    } else if (verb == "start") {
      world_->Start(NodeOf(line.words.at(1)));
    } else if (verb == "flip") {
      world_->FlipRecord(NodeOf(line.words.at(1)));
    } else if (verb == "full" || verb == "room") {
      world_->SetFull(NodeOf(line.words.at(1)), verb == "full");
    } else if (verb == "pause") {
      world_->Pause(NodeOf(line.words.at(1)), world_->now_us() + ParseTime(line.words.at(2)));
    } else if (verb == "tick") {
      world_->RunUntil(world_->now_us() + ParseTime(line.words.at(1)));
    } else if (verb == "carry" || verb == "rename") {
      Carry(line);
    } else {
      Ask(line, later);
    }
  }

  void MakeRing(const Line& line) {
    WorldOptions options;
    options.nodes = std::stoi(line.words.at(1));
    options.settings.partitions = 16;
    const auto setting = [&](const char* name, uint8_t* value) {
      const auto it = line.options.find(name);
      if (it != line.options.end()) *value = static_cast<uint8_t>(std::stoi(it->second));
    };
    setting("n", &options.settings.n);
    setting("r", &options.settings.r);
    setting("w", &options.settings.w);
    const auto age = line.options.find("tombstone-age");
    if (age != line.options.end()) options.tombstone_min_age_ms = ParseTime(age->second) / kMs;
    options.min_latency_us = options.max_latency_us = kMs;
    world_ = std::make_unique<World>(options, this);
    world_->set_trace([this](const std::string& trace) {
      if (tracing_ && trace.find("message ") == std::string::npos &&
          trace.find("control ") == std::string::npos) {
        Say("  " + trace);
      }
    });
    for (int i = 0; i < options.nodes; ++i) world_->Start(i);
    for (int i = 0; i < 600 && !Formed(); ++i) world_->RunUntil(world_->now_us() + 100 * kMs);
    // All have compared what they do not hold yet.
    world_->RunUntil(world_->now_us() + 3 * kSecond);
    world_->set_anti_entropy(line.options.contains("anti-entropy"));
    Say(Formed() ? "a ring of " + line.words.at(1) : "no ring");
  }

  bool Formed() const {
    for (int i = 0; i < world_->size(); ++i) {
      if (!world_->node(i).ready() || world_->node(i).state() != world_->node(0).state() ||
          static_cast<int>(world_->node(i).state().members.size()) != world_->size() ||
          world_->node(i).state().in_motion()) {
        return false;
      }
    }
    return true;
  }

  int NodeOf(const std::string& word) const {
    const int node = std::stoi(word) - 1;
    CHECK(node >= 0 && node < world_->size());
    return node;
  }

  static Loss LossOf(const Line& line) {
    if (line.words.size() == 2) return Loss::kNothing;
    if (line.words[2] == "data") return Loss::kAll;
    return line.words[2] == "copied" ? Loss::kSinceCopy : Loss::kTail;
  }

  static Position At(const std::string& key) { return PositionOf(0, key, Partitioner::kSlot); }

  void Skew(int node, const std::string& by) {
    const bool back = by[0] == '-';
    const int64_t us = ParseTime(back ? by.substr(1) : by);
    world_->clock(node).JumpWall(world_->now_us(), back ? -us : us);
    world_->ClockChanged(node);
  }

  void Clog(const std::string& pair, int64_t for_us) {
    const size_t arrow = pair.find('-');
    world_->network().Clog(NodeOf(pair.substr(0, arrow)), NodeOf(pair.substr(arrow + 2)),
                           world_->now_us() + for_us);
  }

  void Part(bool cut, const std::string& pair) {
    const size_t arrow = pair.find_first_of("<-");
    const int from = NodeOf(pair.substr(0, arrow));
    const int to = NodeOf(pair.substr(pair.find('>') + 1));
    const bool both = pair[arrow] == '<';
    for (const auto& [a, b] : {std::pair(from, to), std::pair(to, from)}) {
      if (a == to && !both) continue;
      if (cut) {
        world_->network().Cut(a, b, FaultKind::kTwoWayCut);
      } else {
        world_->network().Swallow(a, b, true);
      }
    }
  }

  void Copies(const std::string& key) {
    for (int node = 0; node < world_->size(); ++node) {
      const std::string number = std::to_string(node + 1);
      Say(number + ": " + CopyAt(node, At(key)).value_or("nothing"));
      for (int other = 0; other < world_->size(); ++other) {
        const auto hint = CopyAt(node, HintPosition(world_->IdOf(other), At(key)));
        if (hint) Say(number + ", for " + std::to_string(other + 1) + ": " + *hint);
      }
    }
  }

  std::optional<std::string> CopyAt(int node, const Position& position) {
    std::optional<std::string> text;
    const auto scanned =
        world_->engine(node).Scan(position, position, [&](const Position&, std::string_view image) {
          const auto record = ReadIntact(image);
          text = record ? world_->describer().Of(*DecodeObject(record->object)) : "damaged";
          return true;
        });
    CHECK(scanned.has_value());
    return text;
  }

  void Ask(const Line& line, bool later) {
    Asked asked;
    asked.node = NodeOf(line.words.at(1));
    asked.key = {0, line.words.at(2)};
    asked.what = line.words[0] + " " + line.words[1] + " " + line.words[2];
    asked.later = later;
    asked.siblings = line.words[0] == "siblings";
    const auto as = line.options.find("as");
    if (as != line.options.end()) asked.name = as->second;
    auto op = OpOf(line, asked.key);
    if (!op) {
      Say(op.error().code == ErrorCode::kBadContext ? "BADCONTEXT" : op.error().message);
      return;
    }
    const uint64_t id = op->id = ++last_id_;
    asked_[id] = std::move(asked);
    if (!world_->Submit(NodeOf(line.words[1]), *std::move(op))) {
      asked_.erase(id);
      Say("connection refused");
      return;
    }
    const int64_t end_us = world_->now_us() + 10 * kSecond;
    while (!later && asked_.contains(id) && world_->now_us() < end_us) CHECK(world_->RunOne());
    if (!later && asked_.erase(id) > 0) Say("no answer in 10 s");
  }

  // What the server does for COPY and RENAME.
  void Carry(const Line& line) {
    const Key from{0, line.words.at(2)};
    const Key to{0, line.words.at(3)};
    const int node = NodeOf(line.words.at(1));
    std::optional<Answer> answer = Await(node, ReadOperation{from});
    const auto* read = answer ? std::get_if<ReadAnswer>(&answer->result) : nullptr;
    if (read == nullptr) return SayOutcome(answer);
    const Object source = read->object;
    const auto copies = CopiesOf(source, {world_->NowOf(node).wall_ms, 0});
    if (copies.empty()) return Say("no such key");
    const uint32_t flags = line.words.size() > 4 ? uint32_t{kIfAbsent} : 0;
    answer = Await(
        node, UpdateOperation{to, Update{UpdateKind::kReplace, flags, EncodeCopies(copies), 0, 0}});
    SayOutcome(answer);
    const auto* update = answer ? std::get_if<UpdateAnswer>(&answer->result) : nullptr;
    if (update == nullptr || update->result.integer == 0 || line.words[0] == "carry") return;
    PutOperation put;
    put.key = from;
    put.context = source.context;
    put.kind = Kind::kTombstone;
    put.replaces = ReplacedWith(source);
    SayOutcome(Await(node, std::move(put)));
  }

  void SayOutcome(const std::optional<Answer>& answer) {
    Say(answer ? Told(*answer, {}) : "no answer");
  }

  template <typename Operation>
  std::optional<Answer> Await(int node, Operation operation) {
    std::optional<Answer> answer;
    Asked asked;
    asked.node = node;
    asked.into = &answer;
    const uint64_t id = ++last_id_;
    asked_[id] = asked;
    const int64_t end_us = world_->now_us() + 10 * kSecond;
    if (world_->Submit(node, ClientOp{id, std::move(operation)})) {
      while (asked_.contains(id) && world_->now_us() < end_us) CHECK(world_->RunOne());
    }
    asked_.erase(id);
    return answer;
  }

  Result<ClientOp> OpOf(const Line& line, const Key& key) {
    const std::string& verb = line.words[0];
    const std::string value = line.words.size() > 3 ? line.words[3] : "";
    if (verb == "get" || verb == "siblings") return ClientOp{0, ReadOperation{key}};
    if (verb == "del") return ClientOp{0, DeleteOperation{key}};
    if (verb == "set" || verb == "put" || verb == "dyndel") {
      PutOperation put;
      put.key = key;
      put.bytes = value;
      put.kind = verb == "dyndel" ? Kind::kTombstone : Kind::kValue;
      if (verb == "set") return ClientOp{0, std::move(put)};
      const std::string& name = line.options.at("ctx");
      auto context = DecodeToken(At(key.bytes), name == "none" ? "" : tokens_.at(name));
      if (!context) return tl::unexpected(context.error());
      put.context = *std::move(context);
      return ClientOp{0, std::move(put)};
    }
    UpdateOperation update;
    update.key = key;
    if (verb == "expire") {
      update.update.kind = UpdateKind::kExpire;
      update.update.expires_at_ms =
          world_->NowOf(NodeOf(line.words.at(1))).wall_ms + ParseTime(line.words.at(3)) / 1000;
      return ClientOp{0, std::move(update)};
    }
    update.update.bytes = value;
    if (verb == "incr") {
      update.update.kind = UpdateKind::kIncrement;
      update.update.number = 1;
    } else if (verb == "append") {
      update.update.kind = UpdateKind::kAppend;
    } else if (verb == "setnx") {
      update.update.flags = kIfAbsent;
    } else {
      return Error(ErrorCode::kInvalid, "no such command: " + verb);
    }
    return ClientOp{0, std::move(update)};
  }

  std::string Told(const Answer& answer, const Asked& asked) {
    if (const auto* read = std::get_if<ReadAnswer>(&answer.result)) {
      return ToldRead(read->object, asked);
    }
    if (const auto* put = std::get_if<PutAnswer>(&answer.result)) {
      Keep(asked, put->context);
      // Whoever SET without a context is not told one.
      return put->context.empty() ? "OK" : "OK " + world_->describer().Of(put->context);
    }
    if (const auto* deleted = std::get_if<DeleteAnswer>(&answer.result)) {
      return deleted->deleted ? "1" : "0";
    }
    if (const auto* update = std::get_if<UpdateAnswer>(&answer.result)) {
      switch (update->result.type) {
        case UpdateResult::Type::kOk: return "OK";
        case UpdateResult::Type::kNull: return "(nil)";
        case UpdateResult::Type::kInteger: return std::to_string(update->result.integer);
        default: return update->result.text;
      }
    }
    if (const auto* none = std::get_if<NoQuorum>(&answer.result)) {
      return std::string("NOQUORUM ") + none->which + "=" + std::to_string(none->needed) +
             " needed, " + std::to_string(none->answered) + " answered";
    }
    if (std::holds_alternative<Unknown>(answer.result)) return "unknown";
    if (std::holds_alternative<Loading>(answer.result)) return "loading";
    const auto* status = std::get_if<Status>(&answer.result);
    return status != nullptr ? "error: " + status->message : "done";
  }

  std::string ToldRead(const Object& object, const Asked& asked) {
    Keep(asked, object.context);
    if (!asked.siblings) {
      const Sibling* newest = object.Newest({world_->NowOf(asked.node).wall_ms, 0});
      return newest == nullptr ? "(nil)" : newest->bytes;
    }
    return object.context.empty() ? "nothing" : world_->describer().Of(object);
  }

  void Keep(const Asked& asked, const CausalContext& context) {
    if (!asked.name.empty()) tokens_[asked.name] = EncodeToken(At(asked.key.bytes), context);
  }

  std::unique_ptr<World> world_;
  std::map<uint64_t, Asked> asked_;
  std::map<std::string, std::string> tokens_;
  uint64_t last_id_ = 0;
  bool tracing_ = false;
  std::string out_;
};

}  // namespace

std::vector<StoryBlock> ParseStory(std::string_view text) {
  std::vector<StoryBlock> blocks(1);
  bool expecting = false;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string line(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    StoryBlock& block = blocks.back();
    if (expecting && !line.empty()) {
      block.expected += line + "\n";
    } else if (expecting) {
      blocks.push_back({"\n", {}, ""});
      expecting = false;
    } else if (line == "----") {
      expecting = true;
    } else if (line.empty() || line[0] == '#') {
      block.before += line + "\n";
    } else {
      block.commands.push_back(line);
    }
  }
  if (blocks.back().commands.empty()) blocks.pop_back();
  return blocks;
}

std::string FormatStory(const std::vector<StoryBlock>& blocks) {
  std::string text;
  for (const StoryBlock& block : blocks) {
    text += block.before;
    for (const std::string& command : block.commands) text += command + "\n";
    text += "----\n" + block.expected;
  }
  return text;
}

std::vector<StoryBlock> PlayStory(const std::vector<StoryBlock>& blocks) {
  Stage stage;
  std::vector<StoryBlock> played = blocks;
  for (StoryBlock& block : played) block.expected = stage.Play(block.commands);
  return played;
}

}  // namespace cartwheel::sim
