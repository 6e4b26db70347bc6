#include "tests/simulation/describe.h"

#include "cluster/messages.h"

namespace cartwheel::sim {

std::string Describer::Name(const Actor& actor) {
  auto [it, fresh] = names_.try_emplace(actor);
  if (fresh) {
    const int birth = births_of_node_[actor.node]++;
    it->second = std::to_string(actor.node / 0x1111111111111111ULL);
    it->second +=
        birth < 26 ? std::string(1, static_cast<char>('a' + birth)) : "z" + std::to_string(birth);
  }
  return it->second;
}

std::string Describer::Of(const Dot& dot) {
  return Name(dot.actor) + ":" + std::to_string(dot.counter);
}

std::string Describer::Of(const CausalContext& context) {
  std::string text = "{";
  const auto append = [&](const std::string& part) {
    if (text.size() > 1) text += ' ';
    text += part;
  };
  for (const auto& entry : context.vector()) {
    append(Name(entry.actor) + ":" + (entry.counter > 1 ? "1-" : "") +
           std::to_string(entry.counter));
  }
  for (const Dot& dot : context.cloud()) append(Of(dot));
  return text + "}";
}

std::string Describer::Of(const Sibling& sibling) {
  const std::string what = sibling.kind == Kind::kTombstone ? "deleted" : sibling.bytes;
  return what + "(" + Of(sibling.dot) + ")";
}

std::string Describer::Of(const Object& object) {
  std::string text = Of(object.context);
  for (const Sibling& sibling : object.siblings) text += " " + Of(sibling);
  return text;
}

namespace {

struct Words {
  Describer* describer;

  std::string Object(std::string_view encoded) const {
    const auto object = DecodeObject(encoded);
    return object ? describer->Of(*object) : "?";
  }
  std::string operator()(const ReadRequest& m) const { return "read " + std::string(m.key); }
  std::string operator()(const ReadResponse& m) const {
    switch (m.status) {
      case ReadStatus::kObject: return "has " + Object(m.object);
      case ReadStatus::kSame: return "has the same";
      case ReadStatus::kNothing: return "has nothing";
      default: return "cannot read";
    }
  }
  std::string operator()(const CompareRequest& m) const { return "compare " + std::string(m.key); }
  std::string operator()(const MintRequest& m) const {
    const std::string what = m.kind == Kind::kTombstone ? "(delete)" : std::string(m.bytes);
    return "mint " + std::string(m.key) + (m.plain ? " plain " : " ") +
           (m.attempt != 0 ? "again " : "") + what;
  }
  std::string operator()(const MintResponse& m) const {
    return m.status == MintStatus::kMinted ? "minted " + Object(m.object) : "refuses to mint";
  }
  std::string operator()(const MergeRequest& m) const {
    return "merge " + std::string(m.key) + " " + Object(m.object);
  }
  std::string operator()(const MergeResponse& m) const {
    return m.stored ? "merged" : "cannot merge";
  }
  std::string operator()(const UpdateRequest& m) const { return "update " + std::string(m.key); }
  std::string operator()(const UpdateResponse& m) const {
    return m.status == UpdateStatus::kDone ? "updated" : "update failed";
  }
  // What a story about a key has no words for.
  template <typename Other>
  std::string operator()(const Other&) const {
    return "message " + std::to_string(Other::kType);
  }
};

}  // namespace

std::string Describer::OfFrame(std::span<const std::string_view> fields) {
  std::string text;
  const Decoding decoding =
      DecodeData(fields, [&](const auto& message) { text = Words{this}(message); });
  return decoding == Decoding::kDone ? text : "control " + std::to_string(FrameType(fields));
}

}  // namespace cartwheel::sim
