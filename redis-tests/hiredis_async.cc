// hiredis as an event-driven program uses it: its asynchronous API on libuv's loop, over two
// running nodes. One connection subscribes at the first node, another publishes at the second; a
// third sends a transaction and many commands at once. The nodes' ports are the arguments;
// redis-tests/test_smoke.py starts the nodes.
#include <hiredis/adapters/libuv.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <uv.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

constexpr int kMessages = 100;
constexpr int kCommands = 2000;
constexpr int kPatienceMs = 20000;

// What the callbacks, which get it as their context's data, have seen so far.
struct Story {
  redisAsyncContext* subscriber = nullptr;
  redisAsyncContext* publisher = nullptr;
  redisAsyncContext* worker = nullptr;
  uv_timer_t patience = {};
  int subscriptions = 0;
  int messages = 0;
  int pattern_messages = 0;
  int answered = 0;
  int closed = 0;
  int failures = 0;
};

void Expect(Story* story, bool holds, const std::string& what) {
  if (holds) return;
  ++story->failures;
  std::fprintf(stderr, "FAILED: %s\n", what.c_str());
}

Story* Of(const redisAsyncContext* context) { return static_cast<Story*>(context->data); }

std::string Text(const redisReply& reply) {
  return reply.str == nullptr ? "<no text>" : std::string(reply.str, reply.len);
}

std::string Element(const redisReply& reply, size_t i) {
  return i < reply.elements ? Text(*reply.element[i]) : "<no element>";
}

void Publish(Story* story) {
  for (int i = 0; i < kMessages; ++i) {
    redisAsyncCommand(story->publisher, nullptr, nullptr, "PUBLISH async:news %d", i);
  }
}

// Ends the subscriptions when all messages came; the other connections end by themselves.
void EndWhenAllCame(Story* story) {
  if (story->messages < kMessages || story->pattern_messages < kMessages) return;
  redisAsyncDisconnect(story->publisher);
  redisAsyncCommand(story->subscriber, nullptr, nullptr, "UNSUBSCRIBE");
  redisAsyncCommand(story->subscriber, nullptr, nullptr, "PUNSUBSCRIBE");
  redisAsyncDisconnect(story->subscriber);
}

void OnSubscription(redisAsyncContext* context, void* data, void*) {
  if (data == nullptr) return;  // the connection ended
  Story* story = Of(context);
  const redisReply& reply = *static_cast<redisReply*>(data);
  const std::string kind = Element(reply, 0);
  if (kind == "subscribe" || kind == "psubscribe") {
    if (++story->subscriptions == 2) Publish(story);
  } else if (kind == "message") {
    Expect(story, Element(reply, 1) == "async:news", "the channel of a message");
    Expect(story, Element(reply, 2) == std::to_string(story->messages), "messages in their order");
    ++story->messages;
    EndWhenAllCame(story);
  } else if (kind == "pmessage") {
    Expect(story, Element(reply, 1) == "async:n*", "the pattern of a message");
    ++story->pattern_messages;
    EndWhenAllCame(story);
  }
}

void OnExec(redisAsyncContext* context, void* data, void*) {
  Story* story = Of(context);
  const auto* reply = static_cast<redisReply*>(data);
  const bool right = reply != nullptr && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
                     Text(*reply->element[0]) == "OK" && reply->element[1]->integer == 6;
  Expect(story, right, "EXEC's replies");
}

void OnIncrement(redisAsyncContext* context, void* data, void*) {
  Story* story = Of(context);
  const auto* reply = static_cast<redisReply*>(data);
  ++story->answered;
  Expect(story, reply != nullptr && reply->integer == story->answered, "INCR in order");
  if (story->answered == kCommands) redisAsyncDisconnect(context);
}

void OnDisconnect(const redisAsyncContext* context, int status) {
  Story* story = Of(context);
  Expect(story, status == REDIS_OK, std::string("a connection was lost: ") + context->errstr);
  // Nothing is left on the loop then, so it ends.
  if (++story->closed == 3) uv_close(reinterpret_cast<uv_handle_t*>(&story->patience), nullptr);
}

void OnPatienceEnd(uv_timer_t* timer) {
  auto* story = static_cast<Story*>(timer->data);
  Expect(story, false,
         "within 20 s; messages " + std::to_string(story->messages) + ", by pattern " +
             std::to_string(story->pattern_messages) + ", answers " +
             std::to_string(story->answered));
  uv_stop(timer->loop);
}

redisAsyncContext* Connect(Story* story, const char* port, uv_loop_t* loop) {
  redisAsyncContext* context = redisAsyncConnect("127.0.0.1", std::atoi(port));
  if (context == nullptr || context->err != 0) {
    std::fprintf(stderr, "no node at port %s\n", port);
    std::exit(1);
  }
  context->data = story;
  redisLibuvAttach(context, loop);
  redisAsyncSetDisconnectCallback(context, OnDisconnect);
  return context;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "hiredis_async PORT PORT\n");
    return 1;
  }
  Story story;
  uv_loop_t* loop = uv_default_loop();
  uv_timer_init(loop, &story.patience);
  story.patience.data = &story;
  uv_timer_start(&story.patience, OnPatienceEnd, kPatienceMs, 0);
  story.subscriber = Connect(&story, argv[1], loop);
  story.publisher = Connect(&story, argv[2], loop);
  story.worker = Connect(&story, argv[2], loop);

  redisAsyncCommand(story.subscriber, OnSubscription, nullptr, "SUBSCRIBE async:news");
  redisAsyncCommand(story.subscriber, OnSubscription, nullptr, "PSUBSCRIBE async:n*");
  redisAsyncCommand(story.worker, nullptr, nullptr, "MULTI");
  redisAsyncCommand(story.worker, nullptr, nullptr, "SET async:multi 5");
  redisAsyncCommand(story.worker, nullptr, nullptr, "INCR async:multi");
  redisAsyncCommand(story.worker, OnExec, nullptr, "EXEC");
  redisAsyncCommand(story.worker, nullptr, nullptr, "DEL async:count");
  for (int i = 0; i < kCommands; ++i) {
    redisAsyncCommand(story.worker, OnIncrement, nullptr, "INCR async:count");
  }
  uv_run(loop, UV_RUN_DEFAULT);
  uv_loop_close(loop);
  Expect(&story, story.answered == kCommands, "all commands are answered");
  if (story.failures == 0) std::puts("hiredis_async: all well");
  return story.failures == 0 ? 0 : 1;
}
