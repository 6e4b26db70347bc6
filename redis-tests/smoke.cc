// Smoke test through hiredis: drives three running nodes as an application in C or C++ would. Their
// ports are the arguments; redis-tests/test_smoke.py starts the nodes.
#include <hiredis/hiredis.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace {

struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, FreeReply>;
using Connection = std::unique_ptr<redisContext, decltype(&redisFree)>;
using Words = std::vector<std::string>;

int failures = 0;

void Expect(bool holds, const std::string& what) {
  if (holds) return;
  ++failures;
  std::fprintf(stderr, "FAILED: %s\n", what.c_str());
}

Connection Connect(int port) {
  const timeval patience = {10, 0};
  Connection connection(redisConnectWithTimeout("127.0.0.1", port, patience), redisFree);
  if (connection == nullptr || connection->err != 0) {
    std::fprintf(stderr, "no node at port %d\n", port);
    std::exit(1);
  }
  redisSetTimeout(connection.get(), patience);
  return connection;
}

void Append(redisContext* node, const Words& words) {
  std::vector<const char*> texts;
  std::vector<size_t> lengths;
  for (const std::string& word : words) {
    texts.push_back(word.data());
    lengths.push_back(word.size());
  }
  redisAppendCommandArgv(node, static_cast<int>(words.size()), texts.data(), lengths.data());
}

Reply Read(redisContext* node) {
  void* reply = nullptr;
  if (redisGetReply(node, &reply) != REDIS_OK) {
    std::fprintf(stderr, "connection lost: %s\n", node->errstr);
    std::exit(1);
  }
  return Reply(static_cast<redisReply*>(reply));
}

Reply Call(const Connection& node, const Words& words) {
  Append(node.get(), words);
  return Read(node.get());
}

std::string Text(const redisReply& reply) {
  const bool has_text = reply.type == REDIS_REPLY_STRING || reply.type == REDIS_REPLY_STATUS ||
                        reply.type == REDIS_REPLY_ERROR;
  return has_text ? std::string(reply.str, reply.len) : "<no text>";
}

// The siblings that DYN.GET gives, sorted, and their context.
struct Siblings {
  std::string context;
  Words values;
};

Siblings GetSiblings(const Connection& node, const std::string& key) {
  const Reply reply = Call(node, {"DYN.GET", key});
  Siblings siblings;
  if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) {
    Expect(false, "DYN.GET " + key + " is a pair: " + Text(*reply));
    return siblings;
  }
  siblings.context = Text(*reply->element[0]);
  const redisReply& values = *reply->element[1];
  for (size_t i = 0; i < values.elements; ++i) siblings.values.push_back(Text(*values.element[i]));
  std::sort(siblings.values.begin(), siblings.values.end());
  return siblings;
}

void WhatOneNodeTakesTheOthersShow(const std::vector<Connection>& nodes) {
  const std::string binary("with\0zero\r\nand line ends", 23);
  Expect(Text(*Call(nodes[0], {"SET", "smoke:set", binary})) == "OK", "SET on the first node");
  for (const Connection& node : nodes) {
    Expect(Text(*Call(node, {"GET", "smoke:set"})) == binary, "GET on every node, byte for byte");
  }
  const Reply deleted = Call(nodes[1], {"DEL", "smoke:set"});
  Expect(deleted->type == REDIS_REPLY_INTEGER && deleted->integer == 1, "DEL on the second");
  for (const Connection& node : nodes) {
    Expect(Call(node, {"GET", "smoke:set"})->type == REDIS_REPLY_NIL, "nothing after DEL");
  }
}

void BlindPutsAreSiblingsUntilMerged(const std::vector<Connection>& nodes) {
  const std::string key = "smoke:siblings";
  Call(nodes[0], {"DYN.PUT", key, "", "left"});
  Call(nodes[1], {"DYN.PUT", key, "", "right"});
  const Siblings both = GetSiblings(nodes[2], key);
  Expect(both.values == Words{"left", "right"}, "two blind puts are two siblings on the third");
  Expect(Call(nodes[2], {"DYN.SIBLINGS", key})->elements == 2, "DYN.SIBLINGS lists two");

  const Reply refused = Call(nodes[0], {"DYN.PUT", "smoke:other", both.context, "x"});
  Expect(refused->type == REDIS_REPLY_ERROR && Text(*refused).rfind("BADCONTEXT", 0) == 0,
         "a context of one key is refused for another");
  Expect(GetSiblings(nodes[0], "smoke:other").values.empty(), "and nothing is written");

  Call(nodes[0], {"DYN.PUT", key, both.context, "merged"});
  for (const Connection& node : nodes) {
    Expect(GetSiblings(node, key).values == Words{"merged"}, "one version after the merge");
  }
}

void RepliesComeInOrderAndSoDoWrites(const std::vector<Connection>& nodes) {
  constexpr int kCommands = 2000;
  redisContext* node = nodes[1].get();
  for (int i = 0; i < kCommands; ++i) {
    const std::string number = std::to_string(i);
    Append(node, {"SET", "smoke:same", number});  // one key: order of effects
    Append(node, {"GET", "smoke:same"});
    Append(node, {"ECHO", number});  // answered at once, yet not before those above
    Append(node, {"SET", "smoke:" + number, number});
  }
  bool in_order = true;
  for (int i = 0; i < kCommands; ++i) {
    const std::string number = std::to_string(i);
    in_order &= Text(*Read(node)) == "OK";
    in_order &= Text(*Read(node)) == number;
    in_order &= Text(*Read(node)) == number;
    in_order &= Text(*Read(node)) == "OK";
  }
  Expect(in_order, "a pipeline's replies come in its order, its writes of one key take effect so");
  Expect(Text(*Call(nodes[2], {"GET", "smoke:same"})) == std::to_string(kCommands - 1),
         "the last of the pipeline stays");
  Expect(GetSiblings(nodes[0], "smoke:same").values.size() == 1, "in one version");
  Expect(Text(*Call(nodes[0], {"GET", "smoke:1234"})) == "1234", "the others are there as well");
}

void ErrorsLeaveTheConnectionUsable(const std::vector<Connection>& nodes) {
  Expect(Call(nodes[0], {"NO-SUCH-COMMAND"})->type == REDIS_REPLY_ERROR, "unknown command");
  Expect(Call(nodes[0], {"GET"})->type == REDIS_REPLY_ERROR, "wrong arity");
  Expect(Text(*Call(nodes[0], {"PING"})) == "PONG", "PING after errors");
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<Connection> nodes;
  for (int i = 1; i < argc; ++i) nodes.push_back(Connect(std::atoi(argv[i])));
  if (nodes.size() != 3) {
    std::fprintf(stderr, "smoke PORT PORT PORT\n");
    return 1;
  }
  WhatOneNodeTakesTheOthersShow(nodes);
  BlindPutsAreSiblingsUntilMerged(nodes);
  RepliesComeInOrderAndSoDoWrites(nodes);
  ErrorsLeaveTheConnectionUsable(nodes);
  if (failures == 0) std::puts("smoke: all well");
  return failures == 0 ? 0 : 1;
}
